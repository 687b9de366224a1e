/*
 * Refuses a source that cannot work as soon as it is named, before any engine is loaded or opened. Messages
 * name the path: `primary.database.port`.
 */
import { invalid } from '../core/errors.ts'
import { oneOf } from '../core/option-kinds.ts'
import { at, resolve, type Option } from '../core/options.ts'
import { showValue } from '../core/show-value.ts'
import type { CacheConfig, DatabaseConfig } from './backend-config.ts'
import type { CacheBackend } from './cache-backend.ts'
import { parseCacheString, parseDatabaseString } from './connection-string.ts'
import type { DatabaseBackend } from './database-backend.ts'
import { resolveMemcachedOptions } from './memcached/options.ts'
import { MEMORY_CACHE_OPTIONS } from './memory/memory-cache.ts'
import { resolvePostgresOptions } from './postgres/connection/options.ts'
import {
  REDIS_CONNECTION,
  resolveRedisConnection,
  resolveRedisOptions,
} from './redis/connection/options.ts'
import { isCacheBackend, isDatabaseBackend, isReplicaBackend } from './sources.ts'
import type { ReplicaBackend } from './replica-backend.ts'
import { resolveS3Options } from './s3/protocol/options.ts'
import { resolveSqliteOptions } from './sqlite/connection/options.ts'

/**
 * The database by its fields, or the backend that was handed in.
 *
 * @throws StorageError `INVALID_ARGUMENT` that names the field by its path.
 */
export function checkDatabaseSource(
  source: unknown,
  path: string,
): DatabaseConfig | DatabaseBackend | ReplicaBackend {
  if (typeof source === 'string') {
    const address = parseDatabaseString(source, path)
    checkDatabase(address, path)
    return address
  }
  if (isReplicaBackend(source) || isDatabaseBackend(source)) return source
  checkTyped<DatabaseConfig>(source, path)
  checkDatabase(source, path)
  return source.type === 'postgres' ? { ...source, type: 'postgresql' } : source
}

/** A database, in any of the forms in which one is named. */
export const DATABASE_OPTION: Option<ReturnType<typeof checkDatabaseSource>> = {
  takes: 'a connection string, an object with a type, or a backend',
  check: (path, source) => checkDatabaseSource(source, path),
}

/** The same for a cache. */
export const CACHE_OPTION: Option<ReturnType<typeof checkCacheSource>> = {
  takes: DATABASE_OPTION.takes,
  check: (path, source) => checkCacheSource(source, path),
}

/** `checkDatabaseSource` for a cache. */
export function checkCacheSource(source: unknown, path: string): CacheConfig | CacheBackend {
  const given = typeof source === 'string' ? parseCacheString(source, path) : source
  if (isCacheBackend(given)) return given
  checkTyped<CacheConfig>(given, path)
  checkCache(given, path)
  return given
}

function checkDatabase(config: DatabaseConfig, path: string): void {
  switch (config.type) {
    case 'in-memory':
      resolve(path, config, { type: oneOf('in-memory') })
      return
    case 'postgresql':
    case 'postgres':
      resolvePostgresOptions(config, path)
      return
    case 'sqlite':
      resolveSqliteOptions(config, path)
      return
    case 'redis':
      resolveRedisOptions(config, path)
      return
    case 's3':
      resolveS3Options(config, process.env, path)
      return
    default:
      throw unknownType(config, path, 'postgresql, sqlite, redis, s3 or in-memory')
  }
}

function checkCache(config: CacheConfig, path: string): void {
  switch (config.type) {
    case 'in-memory':
      resolve(path, config, MEMORY_CACHE_OPTIONS)
      return
    case 'redis':
      resolveRedisConnection(config, REDIS_CONNECTION, path)
      return
    case 'memcached':
      resolveMemcachedOptions(config, path)
      return
    default:
      throw unknownType(config, path, 'in-memory, redis or memcached')
  }
}

function checkTyped<Config>(source: unknown, path: string): asserts source is Config {
  if (typeof source === 'object' && source !== null && 'type' in source) return
  throw invalid(`${path} must be ${DATABASE_OPTION.takes}`)
}

function unknownType(config: unknown, path: string, types: string): Error {
  const { type } = config as { type: unknown }
  return invalid(`${at(path, 'type')} must be ${types}, got ${showValue(type)}`)
}
