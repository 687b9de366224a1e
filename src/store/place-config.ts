import { checkCacheSource, checkDatabaseSource } from '../backend/check-source.ts'
import {
  isCacheBackend,
  isDatabaseBackend,
  isReplicaBackend,
  type CacheSource,
  type DatabaseSource,
} from '../backend/registry.ts'
import { invalid } from '../core/errors.ts'
import { refuseUnknown } from '../core/options.ts'
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

/** Names of `PlaceParts` and `CachePlaceParts`. */
const PARTS = ['database', 'cache']

/**
 * The parts of a place, however it is given.
 *
 * @throws StorageError `INVALID_ARGUMENT` that names the field.
 */
export function placePartsOf(
  name: string,
  place: Exclude<PlaceConfig, StorageManager>,
): PlaceParts {
  if (!isParts<PlaceParts>(place)) {
    checkDatabaseSource(place as DatabaseSource, name)
    return { database: place as DatabaseSource }
  }
  refuseUnknown(name, place, PARTS)
  if (place.database === undefined) throw invalid(`${name}.database must be given`)
  checkDatabaseSource(place.database, `${name}.database`)
  if (place.cache !== undefined) checkCacheSource(place.cache, `${name}.cache`)
  return place
}

/** The same for a cache. */
export function cachePartsOf(place: Exclude<CachePlaceConfig, StorageManager>): CachePlaceParts {
  if (!isParts<CachePlaceParts>(place)) {
    checkCacheSource(place as CacheSource, 'cache')
    return { cache: place as CacheSource }
  }
  refuseUnknown('cache', place, PARTS)
  if (place.cache !== undefined) checkCacheSource(place.cache, 'cache.cache')
  if (place.database !== undefined) checkDatabaseSource(place.database, 'cache.database')
  return place
}

/** The database that a place names; undefined where a manager has it. */
export function databaseSourceOf(name: string, place: PlaceConfig): DatabaseSource | undefined {
  return place instanceof StorageManager ? undefined : placePartsOf(name, place).database
}

/** A configuration of an engine has a `type`, and a ready engine has methods: parts have neither. */
function isParts<Parts extends object>(place: unknown): place is Parts {
  if (typeof place !== 'object' || place === null || 'type' in place) return false
  return !isReplicaBackend(place) && !isDatabaseBackend(place) && !isCacheBackend(place)
}
