import type { CacheBackend } from '../backend/cache-backend.ts'
import {
  CACHE_OPTION,
  DATABASE_OPTION,
  type checkCacheSource,
  type checkDatabaseSource,
} from '../backend/check-source.ts'
import type { CacheConfig, DatabaseConfig } from '../backend/backend-config.ts'
import { MemoryBackend } from '../backend/memory/memory-backend.ts'
import { MemoryCache } from '../backend/memory/memory-cache.ts'
import { createCache, createDatabase } from '../backend/registry.ts'
import type { CacheSource, DatabaseSource } from '../backend/sources.ts'
import type { Durability, ReplicaBackend } from '../backend/replica-backend.ts'
import type { Env } from '../core/env.ts'
import { boolean, byDefault, checkEnv, ms, needed, text } from '../core/option-kinds.ts'
import { resolve, type OptionTable } from '../core/options.ts'
import { KeepAlive } from '../core/keep-alive.ts'
import { nodeEnv } from '../core/node-env.ts'
import { redactText, secretsOf } from '../core/redact.ts'
import { ManagedCache } from './managed-cache.ts'
import { ManagedDatabase } from './managed-database.ts'
import { publicConfig } from './public-config.ts'
import { ManagedEngine, type BackendInfo } from './managed-engine.ts'
import { measure, probeCache, probeDatabase, type StorageHealth } from './storage-health.ts'

/** What one place consists of, and how long it may take. */
export interface StorageManagerConfig {
  database: DatabaseSource
  /** Default: in memory. */
  cache?: CacheSource
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
  /** True while the database is connected. */
  readonly connected: boolean
  readonly backends: { readonly cache: BackendInfo; readonly database: DatabaseInfo }
  /** Attempts to connect the database. */
  readonly connectionAttempts: number
  /** Why the last attempt failed, that of the database first; without passwords. */
  readonly lastError: string | undefined
}

/** A configuration with its defaults, as it may be shown: frozen, without passwords. */
export interface StorageSettings {
  readonly database: DatabaseConfig | BackendSettings
  readonly cache: CacheConfig | BackendSettings
  readonly name: string
  readonly allowInMemoryFallback: boolean
  readonly connectTimeoutMs: number
  readonly disconnectTimeoutMs: number
}

/** All that is known of a backend that was handed in. */
export interface BackendSettings {
  readonly type: string
}

interface Checked extends Omit<StorageManagerConfig, 'database' | 'cache'> {
  readonly database: ReturnType<typeof checkDatabaseSource>
  readonly cache?: ReturnType<typeof checkCacheSource>
}

export const STORAGE_OPTIONS: OptionTable<Checked, Exclude<keyof Checked, 'database'>> = {
  database: needed(DATABASE_OPTION),
  cache: byDefault({ type: 'in-memory' }, CACHE_OPTION),
  name: byDefault('storage', text()),
  allowInMemoryFallback: byDefault(false, boolean()),
  connectTimeoutMs: byDefault(5_000, ms(1, 600_000)),
  disconnectTimeoutMs: byDefault(5_000, ms(1, 600_000)),
}

const HEALTH_CHECK_OPTIONS = { timeoutMs: byDefault(5_000, ms(1, 600_000)) }

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
  readonly #database: ManagedEngine<ReplicaBackend>
  readonly #cache: ManagedCache
  readonly #settings: StorageSettings
  readonly #handles: StorageBackends
  #connected = false

  /** @throws StorageError `INVALID_ARGUMENT` that names the field by its path, such as `database.port`. */
  constructor(config: StorageManagerConfig, env: Env = nodeEnv()) {
    const resolved = resolve('', config, STORAGE_OPTIONS)
    checkEnv(env)
    const { database, cache, name, allowInMemoryFallback } = resolved
    const { connectTimeoutMs, disconnectTimeoutMs } = resolved
    const cacheField = `${name} cache`
    const secrets = [...secretsOf(database), ...secretsOf(cache)]
    const common = { env, connectTimeoutMs, disconnectTimeoutMs, secrets }
    this.#env = env
    this.#alive = KeepAlive.of(env)
    this.#secrets = secrets
    this.#settings = publicConfig(
      {
        database: settingsOf(database),
        cache: settingsOf(cache),
        name,
        allowInMemoryFallback,
        connectTimeoutMs,
        disconnectTimeoutMs,
      },
      secrets,
    ) as StorageSettings
    this.#database = new ManagedEngine<ReplicaBackend>({
      ...common,
      name: `${name} database`,
      type: typeOf(database),
      create: () => createDatabase(database, env, name),
      ...(allowInMemoryFallback && { createFallback: () => new MemoryBackend(env) }),
      retryBehindFallback: false,
    })
    this.#cache = new ManagedCache({
      ...common,
      name: cacheField,
      type: typeOf(cache),
      create: () => createCache(cache, env, cacheField),
      createFallback: () => new MemoryCache({}, env),
      retryBehindFallback: true,
    })
    this.#handles = {
      database: new ManagedDatabase(this.#database, env),
      cache: this.#cache,
    }
  }

  /** What this manager works with: frozen, defaults filled in, passwords replaced by `***`. */
  getConfig(): StorageSettings {
    return this.#settings
  }

  /**
   * Connects both and resolves to them: the same two objects each time. Concurrent calls share one
   * attempt; after a failure it may be called again, and after a success it does nothing but try a cache
   * again that memory stands in for.
   *
   * @throws StorageError `CONNECTION` with effect `none` when the database did not connect.
   */
  async connect(): Promise<StorageBackends> {
    const outcomes = await this.#alive.during(() =>
      Promise.allSettled([this.#database.connect(), this.#cache.connect()]),
    )
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
    this.#connected = true
    return this.#handles
  }

  /** Never rejects and ends within `disconnectTimeoutMs`. May be called again. */
  async disconnect(): Promise<void> {
    this.#connected = false
    await this.#alive.during(() =>
      Promise.all([this.#database.disconnect(), this.#cache.disconnect()]),
    )
  }

  /**
   * What `connect` resolved to; null before it and after `disconnect`. During an outage they are there: their
   * calls reject.
   */
  getBackends(): StorageBackends | null {
    return this.#connected ? this.#handles : null
  }

  /** Always the same two objects, connected or not: while they are not, their calls reject. */
  getHandles(): StorageBackends {
    return this.#handles
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
    const durability = this.#database.live?.getDurability()
    const cache = this.#cache.info()
    const database = { ...this.#database.info(), ...(durability !== undefined && { durability }) }
    return {
      connected: database.connected,
      backends: { cache, database },
      connectionAttempts: database.connectionAttempts,
      lastError: database.lastError ?? cache.lastError,
    }
  }

  /** A real round trip to both. Never rejects: what went wrong is in `details`. */
  async healthCheck(options: { readonly timeoutMs?: number } = {}): Promise<StorageHealth> {
    const { timeoutMs } = resolve('', options, HEALTH_CHECK_OPTIONS)
    const env = this.#env
    const redact = (text: string): string => redactText(text, this.#secrets)
    const [cache, database] = await this.#alive.during(() =>
      Promise.all([
        measure(env, this.#cache.fallback, redact, () =>
          probeCache(env, this.#handles.cache, timeoutMs),
        ),
        measure(env, this.#database.fallback, redact, () =>
          probeDatabase(env, this.#handles.database, timeoutMs),
        ),
      ]),
    )
    const isUp = { cache: cache.status !== 'unhealthy', database: database.status !== 'unhealthy' }
    return { ...isUp, overall: isUp.cache && isUp.database, details: { cache, database } }
  }
}

function settingsOf(source: object): object {
  return 'type' in source ? source : { type: typeOf(source) }
}

function typeOf(source: object): string {
  const { getBackendType } = source as { getBackendType?: () => string }
  if (typeof getBackendType === 'function') return getBackendType.call(source)
  return String((source as { type?: unknown }).type)
}
