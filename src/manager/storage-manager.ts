import type { CacheBackend } from '../backend/cache-backend.ts'
import { parseCacheString, parseDatabaseString } from '../backend/connection-string.ts'
import { MemoryBackend } from '../backend/memory/memory-backend.ts'
import { MemoryCache } from '../backend/memory/memory-cache.ts'
import {
  createCache,
  createDatabase,
  type CacheSource,
  type DatabaseSource,
} from '../backend/registry.ts'
import type { Durability, ReplicaBackend } from '../backend/replica-backend.ts'
import type { Env } from '../core/env.ts'
import { invalid } from '../core/errors.ts'
import { checkInteger } from '../core/limits.ts'
import { KeepAlive } from '../core/keep-alive.ts'
import { nodeEnv } from '../core/node-env.ts'
import { redactText, secretsOf } from '../core/redact.ts'
import { ManagedCache } from './managed-cache.ts'
import { ManagedDatabase } from './managed-database.ts'
import { Slot, type BackendInfo } from './slot.ts'
import { measure, probeCache, probeDatabase, type StorageHealth } from './storage-health.ts'

/** What one place consists of, and how long it may take. */
export interface StorageManagerConfig {
  readonly database: DatabaseSource
  /** Default: in memory. */
  readonly cache?: CacheSource
  /** Names this place in messages, such as `primary`. Default: `storage`. */
  readonly name?: string
  /**
   * Whether memory may stand in for a database that does not connect. What is written to it is lost
   * with the process. It stays until `disconnect`: changing databases under a running program would
   * hide what it wrote. Default: false.
   */
  readonly allowInMemoryFallback?: boolean
  /** Time that one attempt to connect may take. Milliseconds. Default: 5,000. */
  readonly connectTimeoutMs?: number
  /** Time that `disconnect` may take. Milliseconds. Default: 5,000. */
  readonly disconnectTimeoutMs?: number
}

/** The engines of one place, behind handles that stay the same. */
export interface StorageBackends {
  readonly cache: CacheBackend
  readonly database: ReplicaBackend
}

/** What is known about the database of a place. */
export interface DatabaseInfo extends BackendInfo {
  /** Absent until it has been connected once. */
  readonly durability?: Durability
}

/** What is known about both engines of a place. */
export interface StorageInfo {
  readonly cache: BackendInfo
  readonly database: DatabaseInfo
}

const NEVER_CONNECTED: Durability = {
  durable: false,
  reasons: ['not connected yet'],
  unknown: true,
}
const DEADLINE_MS_MAX = 600_000

/**
 * The cache and the database of one place.
 *
 * A cache that does not connect is replaced by memory, and `getInfo` says so. A database is never
 * replaced unless `allowInMemoryFallback` asks for it: that would be data loss.
 */
export class StorageManager {
  readonly #env: Env
  readonly #alive: KeepAlive
  readonly #secrets: readonly string[]
  readonly #database: Slot<ReplicaBackend>
  readonly #cache: Slot<CacheBackend>
  readonly #backends: StorageBackends

  /** @throws StorageError `INVALID_ARGUMENT` for a connection string that names nothing. */
  constructor(config: StorageManagerConfig, env: Env = nodeEnv()) {
    const { name = 'storage', allowInMemoryFallback = false, cache = 'memory:' } = config
    const { connectTimeoutMs = 5_000, disconnectTimeoutMs = 5_000 } = config
    checkInteger('connectTimeoutMs', connectTimeoutMs, 1, DEADLINE_MS_MAX)
    checkInteger('disconnectTimeoutMs', disconnectTimeoutMs, 1, DEADLINE_MS_MAX)
    checkSource(`${name} database`, config.database)
    checkSource(`${name} cache`, cache)
    const database =
      typeof config.database === 'string'
        ? parseDatabaseString(config.database, name)
        : config.database
    const cacheField = `${name} cache`
    const cacheSource = typeof cache === 'string' ? parseCacheString(cache, cacheField) : cache
    const secrets = [...secretsOf(database), ...secretsOf(cacheSource)]
    const common = { env, connectTimeoutMs, disconnectTimeoutMs, secrets }
    this.#env = env
    this.#alive = KeepAlive.of(env)
    this.#secrets = secrets
    this.#database = new Slot<ReplicaBackend>({
      ...common,
      name: `${name} database`,
      type: typeOf(database),
      create: () => createDatabase(database, env, name),
      ...(allowInMemoryFallback && { createFallback: () => new MemoryBackend(env) }),
      retryBehindFallback: false,
    })
    this.#cache = new Slot<CacheBackend>({
      ...common,
      name: cacheField,
      type: typeOf(cacheSource),
      create: () => createCache(cacheSource, env, cacheField),
      createFallback: () => new MemoryCache({}, env),
      retryBehindFallback: true,
    })
    this.#backends = {
      database: new ManagedDatabase(
        this.#database,
        () => this.#durability() ?? NEVER_CONNECTED,
        this.#alive,
      ),
      cache: new ManagedCache(this.#cache, this.#alive),
    }
  }

  /**
   * Connects both. Concurrent calls share one attempt; after a failure it may be called again, and
   * after a success it does nothing but try a cache again that memory stands in for.
   *
   * @throws StorageError `CONNECTION` with effect `none` when the database did not connect.
   */
  async connect(): Promise<void> {
    const outcomes = await this.#alive.during(() =>
      Promise.allSettled([this.#database.connect(), this.#cache.connect()]),
    )
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
  }

  /** Never rejects and ends within `disconnectTimeoutMs`. May be called again. */
  async disconnect(): Promise<void> {
    await this.#alive.during(() =>
      Promise.all([this.#database.disconnect(), this.#cache.disconnect()]),
    )
  }

  /** Always the same two objects, connected or not. */
  getBackends(): StorageBackends {
    return this.#backends
  }

  /** True while the database is connected. A cache in its fallback does not count against it. */
  isConnected(): boolean {
    return this.#database.isConnected()
  }

  /** True while memory stands in for a cache that did not connect. */
  hasCacheFallback(): boolean {
    return this.#cache.fallback
  }

  getInfo(): StorageInfo {
    const durability = this.#durability()
    return {
      cache: this.#cache.info(),
      database: { ...this.#database.info(), ...(durability !== undefined && { durability }) },
    }
  }

  /** A real round trip to both. Never rejects: what went wrong is in `details`. */
  async healthCheck({ timeoutMs = 5_000 }: { timeoutMs?: number } = {}): Promise<StorageHealth> {
    const env = this.#env
    const redact = (text: string): string => redactText(text, this.#secrets)
    const [cache, database] = await this.#alive.during(() =>
      Promise.all([
        measure(env, this.#cache.fallback, redact, () =>
          probeCache(env, this.#backends.cache, timeoutMs),
        ),
        measure(env, this.#database.fallback, redact, () =>
          probeDatabase(env, this.#backends.database, timeoutMs),
        ),
      ]),
    )
    const isUp = { cache: cache.status !== 'unhealthy', database: database.status !== 'unhealthy' }
    return { ...isUp, overall: isUp.cache && isUp.database, details: { cache, database } }
  }

  #durability(): Durability | undefined {
    return this.#database.live?.getDurability()
  }
}

function checkSource(name: string, source: unknown): void {
  if (typeof source === 'string' || (typeof source === 'object' && source !== null)) return
  throw invalid(`${name} must be a connection string, an object with a type, or a backend`)
}

function typeOf(source: object): string {
  const { getBackendType } = source as { getBackendType?: () => string }
  if (typeof getBackendType === 'function') return getBackendType.call(source)
  const { type } = source as { type?: unknown }
  return type === 'postgres' ? 'postgresql' : String(type)
}
