/* Every constructor and function of the package that takes options, and how to call each with any. */
import {
  EncryptedBackend,
  MemoryBackend,
  MemoryCache,
  nodeEnv,
  plainAdapter,
  ValueCipher,
} from '../../src/core.ts'
import * as library from '../../src/index.ts'
import { MemcachedCacheBackend } from '../../src/backend/memcached/index.ts'
import { MEMCACHED_OPTIONS } from '../../src/backend/memcached/options.ts'
import { MEMORY_CACHE_OPTIONS } from '../../src/backend/memory/memory-cache.ts'
import { PLAIN_ADAPTER_OPTIONS } from '../../src/backend/plain-adapter.ts'
import { PostgresBackend } from '../../src/backend/postgres/index.ts'
import { POSTGRES_OPTIONS } from '../../src/backend/postgres/connection/options.ts'
import { REDIS_CACHE_OPTIONS } from '../../src/backend/redis/cache.ts'
import { RedisCacheBackend, RedisDatabaseBackend } from '../../src/backend/redis/index.ts'
import { REDIS_OPTIONS } from '../../src/backend/redis/connection/options.ts'
import { S3Backend } from '../../src/backend/s3/index.ts'
import { S3_OPTIONS } from '../../src/backend/s3/protocol/options.ts'
import { SqliteBackend } from '../../src/backend/sqlite/index.ts'
import { SQLITE_OPTIONS } from '../../src/backend/sqlite/connection/options.ts'
import { CHAT_HISTORY_OPTIONS } from '../../src/chat/open-chat-history.ts'
import { ENCRYPTION_OPTIONS } from '../../src/core/encryption/keyring.ts'
import { NODE_ENV_OPTIONS } from '../../src/core/node-env.ts'
import type { Table } from '../../src/core/options.ts'
import { CIRCUIT_OPTIONS } from '../../src/health/circuit-breaker.ts'
import { HEALTH_OPTIONS } from '../../src/health/health-base.ts'
import { STORAGE_OPTIONS } from '../../src/manager/storage-manager.ts'
import { STORE_OPTIONS } from '../../src/store/config.ts'
import { CACHE_ENHANCED_OPTIONS } from '../../src/strategy/read/cache-enhanced.ts'
import { FAILOVER_OPTIONS } from '../../src/strategy/read/failover.ts'
import { READ_OPTIONS } from '../../src/strategy/read/selecting-read-strategy.ts'
import { SET_OPTIONS } from '../../src/strategy/strategy-factory.ts'
import { WRITE_OPTIONS } from '../../src/strategy/write/write-config.ts'
import { FAULT_PROXY_OPTIONS } from '../../src/testing/fault-proxy.ts'
import { FaultProxy, MapBackend, SimulatedDisk, virtualEnv } from '../../src/testing/index.ts'
import { SIMULATED_DISK_OPTIONS } from '../../src/testing/simulated-disk-options.ts'
import { VIRTUAL_ENV_OPTIONS } from '../../src/testing/virtual-env.ts'
import { FILE_WAL_OPTIONS } from '../../src/wal/file-wal-manager.ts'
import { MEMORY_WAL_OPTIONS } from '../../src/wal/in-memory-wal-manager.ts'
import { MANAGER_OPTIONS } from '../../src/wal/manager-options.ts'
import { STREAM_WAL_OPTIONS } from '../../src/wal/redis-stream-wal-manager.ts'

/** One way in. */
export interface Entry {
  /** The export that it is of. */
  readonly of: string
  readonly table: Table
  /** Throws, or rejects, for what cannot work; opens nothing. */
  readonly make: (options: never) => unknown
  /** What must be given, so that all else may be left out. */
  readonly good?: object
  /** What the paths in its errors begin with. */
  readonly path?: string
}

const KEYS = `k1:${Buffer.alloc(32, 7).toString('base64')}`
const PLACES = { primary: 'memory:', backup: 'memory:', wal: 'memory:' }
const { StrategyFactory: factory } = library

/** A class whose options are its first argument. */
function built(
  of: string,
  made: new (options: never) => unknown,
  table: Table,
  good: object = {},
): Entry {
  return { of, table, good, make: (options) => new made(options) }
}

function store(options: never): unknown {
  return new library.StrategicStorageManager(
    options,
    factory.createReadStrategy(),
    factory.createWriteStrategy(),
    factory.createHealthManager('simple'),
    new library.InMemoryWALManager(),
  )
}

const STRATEGIES: readonly Entry[] = [
  built('PrimaryFirstReadStrategy', library.PrimaryFirstReadStrategy, READ_OPTIONS),
  built('FailoverReadStrategy', library.FailoverReadStrategy, FAILOVER_OPTIONS),
  built('CacheEnhancedReadStrategy', library.CacheEnhancedReadStrategy, CACHE_ENHANCED_OPTIONS),
  built('IdempotentWriteStrategy', library.IdempotentWriteStrategy, WRITE_OPTIONS),
  built('WalFirstWriteStrategy', library.WalFirstWriteStrategy, WRITE_OPTIONS),
  built('DualWriteStrategy', library.DualWriteStrategy, WRITE_OPTIONS),
  {
    of: 'CircuitBreakerHealthManager',
    table: CIRCUIT_OPTIONS,
    make: (options) => new library.CircuitBreakerHealthManager(nodeEnv(), options),
  },
  {
    of: 'SimpleHealthManager',
    table: HEALTH_OPTIONS,
    make: (options) => new library.SimpleHealthManager(nodeEnv(), options),
  },
]

type Make = (choice: never, second: never) => unknown

/** Each type that a factory knows, with the configuration in `config` and in the second argument. */
function choices(make: Make, name: string, types: Readonly<Record<string, Table>>): Entry[] {
  return Object.entries(types).flatMap(([type, table]) => [
    {
      of: 'StrategyFactory',
      table,
      path: `${name}.config.`,
      make: (config) => make({ type, config } as never, undefined as never),
    },
    {
      of: 'StrategyFactory',
      table,
      path: `${name}.config.`,
      make: (config) => make(type as never, config),
    },
  ])
}

const WALS = {
  file: FILE_WAL_OPTIONS,
  'in-memory': MEMORY_WAL_OPTIONS,
  'redis-stream': STREAM_WAL_OPTIONS,
}

const FACTORY: readonly Entry[] = [
  ...choices(factory.createReadStrategy, 'read', {
    'primary-first': READ_OPTIONS,
    failover: FAILOVER_OPTIONS,
    'cache-enhanced': CACHE_ENHANCED_OPTIONS,
  }),
  ...choices(factory.createWriteStrategy, 'write', {
    idempotent: WRITE_OPTIONS,
    'wal-first': WRITE_OPTIONS,
    'dual-write': WRITE_OPTIONS,
  }),
  ...choices(factory.createHealthManager, 'health', {
    'circuit-breaker': CIRCUIT_OPTIONS,
    simple: HEALTH_OPTIONS,
  }),
  ...choices(factory.createWALManager, 'wal', WALS),
  {
    of: 'StrategyFactory',
    table: SET_OPTIONS,
    make: factory.createStrategySet,
    good: { wal: 'in-memory' },
  },
]

const ENGINES: readonly Entry[] = [
  built('MemoryCache', MemoryCache, MEMORY_CACHE_OPTIONS),
  built('SqliteBackend', SqliteBackend, SQLITE_OPTIONS, { path: ':memory:' }),
  built('PostgresBackend', PostgresBackend, POSTGRES_OPTIONS),
  built('RedisDatabaseBackend', RedisDatabaseBackend, REDIS_OPTIONS),
  built('RedisCacheBackend', RedisCacheBackend, REDIS_CACHE_OPTIONS),
  built('S3Backend', S3Backend, S3_OPTIONS, { bucket: 'bucket' }),
  built('MemcachedCacheBackend', MemcachedCacheBackend, MEMCACHED_OPTIONS),
  {
    of: 'plainAdapter',
    table: PLAIN_ADAPTER_OPTIONS,
    make: (options) => plainAdapter(new MapBackend(), nodeEnv(), options),
  },
]

const LOGS: readonly Entry[] = [
  built('FileWALManager', library.FileWALManager, FILE_WAL_OPTIONS),
  built('InMemoryWALManager', library.InMemoryWALManager, MEMORY_WAL_OPTIONS),
  built('RedisStreamWALManager', library.RedisStreamWALManager, STREAM_WAL_OPTIONS),
  {
    of: 'WALManager',
    table: MANAGER_OPTIONS,
    make: (options) => new library.WALManager(nodeEnv(), undefined, options),
  },
]

export const ENTRIES: readonly Entry[] = [
  {
    of: 'openChatHistory',
    table: CHAT_HISTORY_OPTIONS,
    make: library.openChatHistory,
    good: PLACES,
  },
  {
    of: 'StrategicStorageManager',
    table: STORE_OPTIONS,
    make: store,
    good: { primary: 'memory:' },
  },
  built('StorageManager', library.StorageManager, STORAGE_OPTIONS, { database: 'memory:' }),
  built('ValueCipher', ValueCipher, ENCRYPTION_OPTIONS, { keys: KEYS }),
  { of: 'nodeEnv', table: NODE_ENV_OPTIONS, make: nodeEnv },
  ...STRATEGIES,
  ...FACTORY,
  ...ENGINES,
  ...LOGS,
  { of: 'virtualEnv', table: VIRTUAL_ENV_OPTIONS, make: virtualEnv },
  { of: 'FaultProxy', table: FAULT_PROXY_OPTIONS, make: FaultProxy.open, good: { port: 1 } },
  built('SimulatedDisk', SimulatedDisk, SIMULATED_DISK_OPTIONS),
]

/** What of the package takes no options, and why. */
export const WITHOUT_OPTIONS: Readonly<Record<string, string>> = {
  ChatHistory: 'made by openChatHistory of parts that are ready',
  EncryptedBackend: 'a source, a cipher and an environment',
  MemoryBackend: 'an environment',
  StorageConnectionError: 'an error',
  StorageError: 'an error',
  isStorageError: 'any value',
  itemStamp: 'takes an item',
  parseSearch: 'takes a text',
  DurableMemoryBackend: 'an environment',
  MapBackend: 'the documents to begin with',
  faultyBackend: 'a backend',
  checkHistory: 'a history that a test recorded',
  chatHistoryConformance: 'a suite of tests',
  healthConformance: 'a suite of tests',
  readStrategyConformance: 'a suite of tests',
  replicaBackendConformance: 'a suite of tests',
  walConformance: 'a suite of tests',
  writeStrategyConformance: 'a suite of tests',
}

/** Arguments that are no options, each of which must be what it is for. */
export const OTHER_ARGUMENTS: Readonly<Record<string, (given: never) => unknown>> = {
  'env of MemoryBackend': (env) => new MemoryBackend(env),
  'env of MemoryCache': (env) => new MemoryCache({}, env),
  'env of CircuitBreakerHealthManager': (env) => new library.CircuitBreakerHealthManager(env),
  'env of SimpleHealthManager': (env) => new library.SimpleHealthManager(env),
  'env of StorageManager': (env) => new library.StorageManager({ database: 'memory:' }, env),
  'env of WALManager': (env) => new library.WALManager(env, undefined),
  'env of InMemoryWALManager': (env) => new library.InMemoryWALManager({}, env),
  'env of FileWALManager': (env) => new library.FileWALManager({}, env),
  'env of RedisStreamWALManager': (env) => new library.RedisStreamWALManager({}, env),
  'env of SqliteBackend': (env) => new SqliteBackend({ path: ':memory:' }, env),
  'env of PostgresBackend': (env) => new PostgresBackend({}, env),
  'env of RedisDatabaseBackend': (env) => new RedisDatabaseBackend({}, env),
  'env of RedisCacheBackend': (env) => new RedisCacheBackend({}, env),
  'env of S3Backend': (env) => new S3Backend({ bucket: 'bucket' }, env),
  'env of MemcachedCacheBackend': (env) => new MemcachedCacheBackend({}, env),
  'env of plainAdapter': (env) => plainAdapter(new MapBackend(), env),
  'backend of plainAdapter': (backend) => plainAdapter(backend),
  'source of EncryptedBackend': (source) =>
    new EncryptedBackend(source, new ValueCipher({ keys: KEYS }), nodeEnv()),
  'cipher of EncryptedBackend': (cipher) => new EncryptedBackend('memory:', cipher, nodeEnv()),
  'health manager of StrategicStorageManager': (health) =>
    new library.StrategicStorageManager(
      { primary: 'memory:' },
      factory.createReadStrategy(),
      factory.createWriteStrategy(),
      health,
    ),
  'read strategy of StrategicStorageManager': (read) =>
    new library.StrategicStorageManager(
      { primary: 'memory:' },
      read,
      factory.createWriteStrategy(),
      factory.createHealthManager(),
    ),
  'write strategy of StrategicStorageManager': (write) =>
    new library.StrategicStorageManager(
      { primary: 'memory:' },
      factory.createReadStrategy(),
      write,
      factory.createHealthManager(),
    ),
  'log of StrategicStorageManager': (wal) =>
    new library.StrategicStorageManager(
      { primary: 'memory:' },
      factory.createReadStrategy(),
      factory.createWriteStrategy(),
      factory.createHealthManager(),
      wal,
    ),
}
