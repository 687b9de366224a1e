// Goal: a program that is written against the described shapes compiles. Method: values of each described
// interface, written out by hand, are assigned to the types that the package exports, and back; the compiler
// judges, and what can be made without a server is made.
import { expect, test } from 'vitest'
import { PostgresBackend } from '../src/backend/postgres/index.ts'
import {
  StorageManager,
  StrategicStorageManager,
  StrategyFactory,
  type CacheBackend,
  type DatabaseBackend,
  type HealthManager,
  type HealthStats,
  type ReadStrategy,
  type StorageManagerConfig,
  type StrategicStorageConfig,
  type StrategySetConfig,
  type WALManager,
  type WriteStrategy,
} from '../src/index.ts'

/** Refuses what the right side does not have: `Described` written by hand, `value` of ours. */
function has<Described>(value: Described): Described {
  return value
}

const CONFIG: StrategicStorageConfig = {
  primary: {
    database: {
      type: 'postgresql',
      host: 'localhost',
      port: 5432,
      database: 'app',
      user: 'app',
      password: 'secret',
      ssl: false,
      maxConnections: 20,
      idleTimeoutMillis: 30_000,
      connectionTimeoutMillis: 2_000,
      pool: { max: 20, min: 2, idleTimeoutMillis: 30_000, acquireTimeoutMillis: 60_000 },
    },
    cache: { type: 'redis', host: 'localhost', port: 6379, db: 0, keyPrefix: 'app:' },
  },
  backup: { database: { type: 'sqlite', path: './data', database: 'backup.db' } },
  cache: { cache: { type: 'redis', url: 'redis://localhost:6379/1' } },
}

/** A program may put its configuration together step by step. */
CONFIG.backup = { database: { type: 'sqlite', path: './data', database: 'backup.db' } }
const SET: StrategySetConfig = {}
SET.wal = { type: 'file' }
const PLACE: StorageManagerConfig = { database: { type: 'in-memory' } }
PLACE.cache = { type: 'in-memory' }

const OTHERS: readonly StorageManagerConfig[] = [
  { database: { type: 'postgres', url: 'postgres://app@localhost/app' } },
  { database: { type: 'sqlite', path: './data/app.db' }, cache: { type: 'in-memory' } },
  { database: { type: 'redis', host: 'localhost', db: 2, username: 'app', password: 'secret' } },
  { database: { type: 'in-memory' } },
  { database: { type: 's3', bucket: 'app-history' } },
]

const SETS: readonly StrategySetConfig[] = [
  {
    read: {
      type: 'cache-enhanced',
      config: {
        treatEmptyAsFailure: true,
        maxRetries: 3,
        retryDelay: 100,
        enableCacheMerge: true,
        timeout: 5_000,
      },
    },
    write: { type: 'wal-first', config: { enableIdempotency: true, timeout: 5_000 } },
    health: {
      type: 'circuit-breaker',
      config: {
        failureThreshold: 5,
        failureWindow: 60_000,
        circuitOpenDuration: 30_000,
        recoverySuccessThreshold: 3,
        healthCheckInterval: 30_000,
        maxFailureHistory: 100,
        latencyWindowSize: 100,
      },
    },
    wal: {
      type: 'file',
      config: {
        filePath: './data/wal',
        maxFileSize: 10 * 1024 * 1024,
        rotateOnSize: true,
        flushIntervalMs: 5_000,
      },
    },
  },
  { wal: { type: 'in-memory', config: { maxEntries: 1_000, flushIntervalMs: 5_000 } } },
  { wal: { type: 'redis-stream', config: { url: 'redis://localhost:6379' } } },
]

class OwnCache implements CacheBackend {
  async get<T>(): Promise<T | undefined> {
    return undefined
  }
  async set(): Promise<void> {}
  async delete(): Promise<void> {}
  async connect(): Promise<void> {}
  async disconnect(): Promise<void> {}
  isConnected(): boolean {
    return true
  }
  getBackendType(): string {
    return 'own'
  }
}

class OwnDatabase extends OwnCache implements DatabaseBackend {
  async list(): Promise<string[]> {
    return []
  }
  async append(): Promise<void> {}
  async getRange<T>(): Promise<T[]> {
    return []
  }
}

class OwnHealth implements HealthManager {
  isHealthy(): boolean {
    return true
  }
  markSuccess(_place: 'primary' | 'backup', _operation: string, _ms: number): void {}
  markFailure(_place: 'primary' | 'backup', _error: unknown, _operation: string): void {}
  getHealthStats(place: 'primary' | 'backup'): HealthStats {
    return {
      place,
      healthy: true,
      circuit: 'closed',
      successes: 0,
      failures: 0,
      consecutiveFailures: 0,
      latency: { samples: 0, p50: 0, p95: 0, p99: 0 },
      failureHistory: [],
    }
  }
  getAllHealthStats(): Record<'primary' | 'backup', HealthStats> {
    return { primary: this.getHealthStats('primary'), backup: this.getHealthStats('backup') }
  }
  startHealthCheck(): void {}
  stopHealthCheck(): void {}
}

interface Managers {
  readonly primary: StorageManager
  readonly backup?: StorageManager
  readonly cache?: StorageManager
}

class OwnRead implements ReadStrategy {
  readonly name = 'own-read'
  readonly config = { timeout: 1_000 }
  async execute<T>(key: string, { primary }: Managers): Promise<T | undefined> {
    return await primary.getBackends()?.database.get<T>(key)
  }
}

class OwnWrite implements WriteStrategy {
  readonly name = 'own-write'
  readonly config = {}
  async execute(
    key: string,
    value: unknown,
    { primary }: Managers,
    walManager: WALManager,
  ): Promise<void> {
    await walManager.append({ key, value })
    await primary.getBackends()?.database.set(key, value)
  }
}

interface DescribedStore {
  connect(): Promise<void>
  disconnect(): Promise<void>
  get<T>(key: string): Promise<T | undefined>
  set<T>(key: string, value: T): Promise<unknown>
  delete(key: string): Promise<unknown>
  mget<T>(keys: string[]): Promise<Record<string, T>>
  mset(entries: Record<string, unknown>): Promise<unknown>
  exists(key: string): Promise<boolean>
  getHealthStatus(): { connected: boolean; backends: Managersish<HealthStats>; walStats: unknown }
  getStorageManagers(): Managersish<StorageManager> & { cache?: StorageManager }
  getBackends(
    place?: 'primary' | 'backup' | 'cache',
  ): { cache: CacheBackend; database: DatabaseBackend } | null
  flushWAL(): Promise<void>
  cleanupWAL(beforeTimestamp?: number): Promise<number>
}

interface Managersish<T> {
  primary: T
  backup: T
}

interface DescribedPlace {
  connect(): Promise<{ cache: CacheBackend; database: DatabaseBackend }>
  disconnect(): Promise<void>
  isConnected(): boolean
  getBackends(): { cache: CacheBackend; database: DatabaseBackend } | null
  getConfig(): object
  getInfo(): {
    connected: boolean
    backends: Record<'cache' | 'database', { type: string; connected: boolean; fallback: boolean }>
    connectionAttempts: number
    lastError?: string | undefined
  }
  healthCheck(): Promise<{
    cache: boolean
    database: boolean
    overall: boolean
    details: Record<'cache' | 'database', { status: string; latency: number; error?: string }>
  }>
}

interface DescribedPostgres {
  getInfo(): {
    type: string
    connected: boolean
    pool: { totalCount: number; idleCount: number; waitingCount: number }
    config: { host: string; port: number; database: string; ssl: boolean }
  }
  maintenance(): Promise<void>
}

interface DescribedLog {
  append(entry: { key: string; value: unknown }): Promise<unknown>
  write(entry: { key: string; value: unknown }): Promise<unknown>
  getUnflushedEntries(): Promise<readonly unknown[]>
  cleanup(before: number): Promise<number>
  getStats(): object
  startFlushWorker(): void
  stopFlushWorker(): Promise<void>
}

test('each described configuration makes what it describes', async () => {
  for (const config of OTHERS) expect(new StorageManager(config).isConnected()).toBe(false)
  for (const config of SETS) {
    const { readStrategy, writeStrategy, healthManager, walManager } =
      await StrategyFactory.createStrategySet(config)
    const read: ReadStrategy = readStrategy
    const write: WriteStrategy = writeStrategy
    const store = new StrategicStorageManager(CONFIG, read, write, healthManager, walManager)
    expect(has<DescribedStore>(store).getBackends()).toBeNull()
    await store.disconnect()
  }
})

test('what a user implements is taken, and what is made has the described calls', async () => {
  const config = { database: new OwnDatabase(), cache: new OwnCache() }
  const walManager = StrategyFactory.createWALManager('in-memory', { maxEntries: 10 })
  const store = new StrategicStorageManager(
    { primary: config, backup: { database: 'memory:' } },
    new OwnRead(),
    new OwnWrite(),
    new OwnHealth(),
    walManager,
  )
  await store.connect()
  await store.set('k', 1)
  expect(await store.get('k')).toBeUndefined()
  await store.disconnect()
  expect(has<DescribedPlace>(new StorageManager(config)).getBackends()).toBeNull()
  expect(has<DescribedLog>(walManager).getStats()).toBeTypeOf('object')
  const postgres = new PostgresBackend({ host: 'localhost', database: 'app' })
  expect(has<DescribedPostgres>(postgres).getInfo().connected).toBe(false)
  const read = StrategyFactory.createReadStrategy('failover', { maxRetries: 1 }, new OwnHealth())
  const write = StrategyFactory.createWriteStrategy('idempotent', {}, new OwnHealth())
  expect([has<ReadStrategy>(read).name, has<WriteStrategy>(write).name]).toEqual([
    'failover',
    'idempotent',
  ])
})
