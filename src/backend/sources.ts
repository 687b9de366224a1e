import { hasMethods } from '../core/option-kinds.ts'
import type { CacheConfig, DatabaseConfig } from './backend-config.ts'
import type { CacheBackend } from './cache-backend.ts'
import type { DatabaseBackend } from './database-backend.ts'
import type { ReplicaBackend } from './replica-backend.ts'

/** A database by connection string, by configuration, or ready made. */
export type DatabaseSource = string | DatabaseConfig | DatabaseBackend | ReplicaBackend

/** A cache by connection string, by configuration, or ready made. */
export type CacheSource = string | CacheConfig | CacheBackend

/** True for a ready database that keeps stamps by itself. */
export function isReplicaBackend(source: unknown): source is ReplicaBackend {
  return isObjectWith(source, ['apply', 'readItems', 'readState', 'connect', 'disconnect'])
}

/** True for a ready database of any kind. */
export function isDatabaseBackend(source: unknown): source is DatabaseBackend {
  return isObjectWith(source, ['get', 'set', 'delete', 'list', 'append', 'getRange', 'connect'])
}

/** True for a ready cache. */
export function isCacheBackend(source: unknown): source is CacheBackend {
  return isObjectWith(source, ['get', 'set', 'delete', 'connect', 'disconnect'])
}
/** A function is no backend, whatever it has. */
function isObjectWith(source: unknown, methods: readonly string[]): boolean {
  return typeof source === 'object' && hasMethods(source, methods)
}
