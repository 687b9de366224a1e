/*
 * Makes engines from configurations. Engines are loaded when they are asked for, so nobody pays for
 * one that is not used, nor needs its driver.
 */
import type { Env } from '../core/env.ts'
import { invalid } from '../core/errors.ts'
import { showValue } from '../core/show-value.ts'
import type { DatabaseConfig } from './backend-config.ts'
import type { CacheBackend } from './cache-backend.ts'
import { parseCacheString, parseDatabaseString } from './connection-string.ts'
import type { ReplicaBackend } from './replica-backend.ts'
import {
  isCacheBackend,
  isDatabaseBackend,
  isReplicaBackend,
  type CacheSource,
  type DatabaseSource,
} from './sources.ts'

/**
 * The database that the source describes, not connected yet. A `ReplicaBackend` is returned as it
 * is; a plain `DatabaseBackend` is wrapped by `plainAdapter`.
 *
 * @param field Named in errors: `primary`, `backup`, …
 * @throws StorageError `INVALID_ARGUMENT` for what is not a source.
 */
export async function createDatabase(
  source: DatabaseSource,
  env: Env,
  field = 'database',
): Promise<ReplicaBackend> {
  if (typeof source === 'string') {
    return await createDatabase(parseDatabaseString(source, field), env, field)
  }
  if (isReplicaBackend(source)) return source
  if (isDatabaseBackend(source)) {
    const { plainAdapter } = await import('./plain-adapter.ts')
    return plainAdapter(source, env)
  }
  return await openDatabase(checkConfig(source, field), env, field)
}

/** The cache that the source describes, not connected yet. Errors as `createDatabase`. */
export async function createCache(
  source: CacheSource,
  env: Env,
  field = 'cache',
): Promise<CacheBackend> {
  if (typeof source === 'string') {
    return await createCache(parseCacheString(source, field), env, field)
  }
  if (isCacheBackend(source)) return source
  const config = checkConfig(source, field)
  switch (config.type) {
    case 'in-memory': {
      const { MemoryCache } = await import('./memory/memory-cache.ts')
      return new MemoryCache(config, env)
    }
    case 'redis': {
      const { RedisCacheBackend } = await import('./redis/index.ts')
      return new RedisCacheBackend(config, env)
    }
    case 'memcached': {
      const { MemcachedCacheBackend } = await import('./memcached/index.ts')
      return new MemcachedCacheBackend(config, env)
    }
    default:
      throw unknownType(field, config, 'in-memory, redis or memcached')
  }
}

async function openDatabase(
  config: DatabaseConfig,
  env: Env,
  field: string,
): Promise<ReplicaBackend> {
  switch (config.type) {
    case 'in-memory': {
      const { MemoryBackend } = await import('./memory/memory-backend.ts')
      return new MemoryBackend(env)
    }
    case 'postgresql':
    case 'postgres': {
      const { PostgresBackend } = await import('./postgres/index.ts')
      return new PostgresBackend(config, env)
    }
    case 'sqlite': {
      const { SqliteBackend } = await import('./sqlite/index.ts')
      return new SqliteBackend(config, env)
    }
    case 'redis': {
      const { RedisDatabaseBackend } = await import('./redis/index.ts')
      return new RedisDatabaseBackend(config, env)
    }
    case 's3': {
      const { S3Backend } = await import('./s3/index.ts')
      return new S3Backend(config, env)
    }
    default:
      throw unknownType(field, config, 'postgresql, sqlite, redis, s3 or in-memory')
  }
}

function checkConfig<Config extends { readonly type: string }>(
  config: Config,
  field: string,
): Config {
  const given: unknown = config
  if (typeof given !== 'object' || given === null || !('type' in given)) {
    throw invalid(`${field} must be a connection string, an object with a type, or a backend`)
  }
  return config
}

/** `config` is of no type that there is: a type without its case above does not compile. */
function unknownType(field: string, config: never, types: string): Error {
  const { type } = config as { type: unknown }
  return invalid(`${field}.type must be ${types}, got ${showValue(type)}`)
}
