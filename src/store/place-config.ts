import {
  CACHE_OPTION,
  DATABASE_OPTION,
  type checkCacheSource,
  type checkDatabaseSource,
} from '../backend/check-source.ts'
import {
  isCacheBackend,
  isDatabaseBackend,
  isReplicaBackend,
  type CacheSource,
  type DatabaseSource,
} from '../backend/sources.ts'
import { invalid } from '../core/errors.ts'
import { at, resolve, undefinedAt, type Option, type OptionTable } from '../core/options.ts'
import { StorageManager } from '../manager/storage-manager.ts'

/** What one place consists of: a database, and if need be a cache in front of it. */
export interface PlaceParts {
  readonly database: DatabaseSource
  readonly cache?: CacheSource
}

/** A place of caching: a cache, and if need be a database of its own, for strategies that use one. */
export interface CachePlaceParts {
  /** Default: in memory. */
  readonly cache?: CacheSource
  /** Default: in memory. */
  readonly database?: DatabaseSource
}

/** One database place: its parts, only what to connect to, or a manager that is ready. */
export type PlaceConfig = DatabaseSource | PlaceParts | StorageManager

/** The cache of a store: what to connect to, alone or as a part, or a manager that is ready. */
export type CachePlaceConfig = CacheSource | CachePlaceParts | StorageManager

interface Parts {
  readonly database?: ReturnType<typeof checkDatabaseSource>
  readonly cache?: ReturnType<typeof checkCacheSource>
}

const PARTS: OptionTable<Parts> = { database: DATABASE_OPTION, cache: CACHE_OPTION }

/** One database place. */
export const PLACE_OPTION: Option<PlaceConfig> = {
  takes: `${DATABASE_OPTION.takes}, { database, cache } of these, or a StorageManager`,
  check(path, place) {
    if (!(place instanceof StorageManager)) placePartsOf(path, place)
    return place as PlaceConfig
  },
}

/** The cache of a store. */
export const CACHE_PLACE_OPTION: Option<CachePlaceConfig> = {
  takes: PLACE_OPTION.takes,
  check(path, place) {
    if (!(place instanceof StorageManager)) cachePartsOf(path, place)
    return place as CachePlaceConfig
  },
}

/**
 * The parts of a place, however it is given.
 *
 * @throws StorageError `INVALID_ARGUMENT` that names the field.
 */
export function placePartsOf(path: string, place: unknown): PlaceParts {
  if (!isParts(place)) return { database: DATABASE_OPTION.check(path, place) }
  const { database, ...cache } = resolve(path, place, PARTS)
  if (database === undefined) {
    const field = at(path, 'database')
    throw Object.hasOwn(place as object, 'database')
      ? undefinedAt(field)
      : invalid(`${field} must be given`)
  }
  return { database, ...cache }
}

/** The same for a cache. */
export function cachePartsOf(path: string, place: unknown): CachePlaceParts {
  return isParts(place) ? resolve(path, place, PARTS) : { cache: CACHE_OPTION.check(path, place) }
}

/** The database that a place names; undefined where a manager has it. */
export function databaseSourceOf(name: string, place: PlaceConfig): DatabaseSource | undefined {
  return place instanceof StorageManager ? undefined : placePartsOf(name, place).database
}

/** A configuration of an engine has a `type`, and a ready engine has methods: parts have neither. */
function isParts(place: unknown): boolean {
  if (typeof place !== 'object' || place === null || 'type' in place) return false
  return !isReplicaBackend(place) && !isDatabaseBackend(place) && !isCacheBackend(place)
}
