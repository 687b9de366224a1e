/*
 * Refuses a source that cannot work as soon as it is named, before any engine is loaded or opened. Messages
 * name the path: `primary.database.port`.
 */
import { invalid } from '../core/errors.ts'
import { checkInteger } from '../core/limits.ts'
import { refuseUnknown, within, type FieldsOf } from '../core/options.ts'
import { showValue } from '../core/show-value.ts'
import type { CacheConfig, DatabaseConfig, InMemoryCacheConfig } from './backend-config.ts'
import type { CacheBackend } from './cache-backend.ts'
import { parseCacheString, parseDatabaseString } from './connection-string.ts'
import type { DatabaseBackend } from './database-backend.ts'
import { resolveMemcachedOptions } from './memcached/options.ts'
import { resolvePostgresOptions } from './postgres/options.ts'
import { resolveRedisConnection, resolveRedisOptions } from './redis/options.ts'
import {
  isCacheBackend,
  isDatabaseBackend,
  isReplicaBackend,
  type CacheSource,
  type DatabaseSource,
} from './registry.ts'
import type { ReplicaBackend } from './replica-backend.ts'
import { resolveS3Options } from './s3/options.ts'
import { resolveSqliteOptions } from './sqlite/options.ts'

const CACHE_FIELDS: FieldsOf<InMemoryCacheConfig> = { type: true, maxEntries: true, maxBytes: true }

/**
 * The database by its fields, or the backend that was handed in.
 *
 * @throws StorageError `INVALID_ARGUMENT` that names the field by its path.
 */
export function checkDatabaseSource(
  source: DatabaseSource,
  path: string,
): DatabaseConfig | DatabaseBackend | ReplicaBackend {
  if (typeof source === 'string') {
    const address = parseDatabaseString(source, path)
    within(path, () => checkDatabase(address))
    return address
  }
  if (isReplicaBackend(source) || isDatabaseBackend(source)) return source
  checkTyped(source, path)
  within(path, () => checkDatabase(source))
  return source.type === 'postgres' ? { ...source, type: 'postgresql' } : source
}

/** The same for a cache. */
export function checkCacheSource(source: CacheSource, path: string): CacheConfig | CacheBackend {
  const given = typeof source === 'string' ? parseCacheString(source, path) : source
  if (isCacheBackend(given)) return given
  checkTyped(given, path)
  within(path, () => checkCache(given))
  return given
}

function checkDatabase(config: DatabaseConfig): void {
  switch (config.type) {
    case 'in-memory':
      refuseUnknown('', config, ['type'])
      return
    case 'postgresql':
    case 'postgres':
      resolvePostgresOptions(config)
      return
    case 'sqlite':
      resolveSqliteOptions(config)
      return
    case 'redis':
      resolveRedisOptions(config)
      return
    case 's3':
      resolveS3Options(config)
      return
    default:
      throw unknownType(config, 'postgresql, sqlite, redis, s3 or in-memory')
  }
}

function checkCache(config: CacheConfig): void {
  switch (config.type) {
    case 'in-memory':
      refuseUnknown('', config, CACHE_FIELDS)
      for (const name of ['maxEntries', 'maxBytes'] as const) {
        if (config[name] !== undefined) checkInteger(name, config[name], 1, Number.MAX_SAFE_INTEGER)
      }
      return
    case 'redis':
      resolveRedisConnection(config, '')
      return
    case 'memcached':
      resolveMemcachedOptions(config)
      return
    default:
      throw unknownType(config, 'in-memory, redis or memcached')
  }
}

function checkTyped(source: unknown, path: string): void {
  if (typeof source === 'object' && source !== null && 'type' in source) return
  throw invalid(`${path} must be a connection string, an object with a type, or a backend`)
}

function unknownType(config: unknown, types: string): Error {
  const { type } = config as { type: unknown }
  return invalid(`type must be ${types}, got ${showValue(type)}`)
}
