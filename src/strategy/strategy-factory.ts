import type { Env } from '../core/env.ts'
import { invalid } from '../core/errors.ts'
import { checkObject } from '../core/limits.ts'
import { checkFields, refuseUnknown, type FieldsOf } from '../core/options.ts'
import type { Logger } from '../core/logger.ts'
import { showValue } from '../core/show-value.ts'
import { nodeEnv } from '../core/node-env.ts'
import {
  CircuitBreakerHealthManager,
  type CircuitBreakerConfig,
} from '../health/circuit-breaker.ts'
import type { HealthManager } from '../health/health-manager.ts'
import { SimpleHealthManager, type SimpleHealthConfig } from '../health/simple.ts'
import { defaultLog } from '../wal/default-log.ts'
import { FileWALManager, type FileWALConfig } from '../wal/file-wal-manager.ts'
import { InMemoryWALManager, type InMemoryWALConfig } from '../wal/in-memory-wal-manager.ts'
import {
  RedisStreamWALManager,
  type RedisStreamWALConfig,
} from '../wal/redis-stream-wal-manager.ts'
import type { WALManager } from '../wal/wal-manager.ts'
import { CacheEnhancedReadStrategy, type CacheEnhancedReadConfig } from './read/cache-enhanced.ts'
import { FailoverReadStrategy } from './read/failover.ts'
import { PrimaryFirstReadStrategy } from './read/primary-first.ts'
import type { ReadConfig, ReadPort } from './read/read-port.ts'
import type { ReadStrategy } from './read/read-strategy.ts'
import { DualWriteStrategy } from './write/dual-write.ts'
import { IdempotentWriteStrategy } from './write/idempotent.ts'
import { WalFirstWriteStrategy } from './write/wal-first.ts'
import type { WriteConfig, WritePort } from './write/write-port.ts'
import type { WriteStrategy } from './write/write-strategy.ts'

export type ReadStrategyType = 'primary-first' | 'failover' | 'cache-enhanced'
/** Write strategies by name. */
export type WriteStrategyType = 'idempotent' | 'wal-first' | 'dual-write'
/** Health managers by name. */
export type HealthManagerType = 'circuit-breaker' | 'simple'
/** Logs by name. */
export type WalManagerType = 'file' | 'in-memory' | 'redis-stream'

/** A type by its name, or with a configuration of its own. */
export type Choice<Type extends string, Config> =
  Type | { readonly type: Type; readonly config?: Config }

export type ReadChoice =
  | Choice<'primary-first' | 'failover', ReadConfig>
  | Choice<'cache-enhanced', CacheEnhancedReadConfig>
export type WriteChoice = Choice<WriteStrategyType, WriteConfig>
export type HealthChoice =
  | HealthManagerType
  | { readonly type: 'circuit-breaker'; readonly config?: CircuitBreakerConfig }
  | { readonly type: 'simple'; readonly config?: SimpleHealthConfig }
/** Its options in `config`, or beside the type. */
export type WalChoice =
  | WithConfig<'file', FileWALConfig>
  | WithConfig<'in-memory', InMemoryWALConfig>
  | WithConfig<'redis-stream', RedisStreamWALConfig>

/** A type with its options beside it. */
export type Flat<Type extends string, Config> = { readonly type: Type } & Config
/** A type with its configuration, beside it or in `config`. */
export type WithConfig<Type extends string, Config> =
  Flat<Type, Config> | { readonly type: Type; readonly config?: Config }
type FlatWal =
  | Flat<'file', FileWALConfig>
  | Flat<'in-memory', InMemoryWALConfig>
  | Flat<'redis-stream', RedisStreamWALConfig>

export interface StrategySetConfig {
  readonly read?: ReadChoice
  readonly write?: WriteChoice
  readonly health?: HealthChoice
  /** Left out: a log in files at `./data/wal` where the write strategy needs one, else none. */
  readonly wal?: WalChoice | WalManagerType
  /** Any pino-like logger. Default: silent. */
  readonly logger?: Logger
  readonly env?: Env
}

/** What the constructor of `StrategicStorageManager` takes. */
export interface StrategySet {
  readonly readStrategy: ReadStrategy & ReadPort
  readonly writeStrategy: WriteStrategy & WritePort
  readonly healthManager: HealthManager
  readonly walManager: WALManager | undefined
}

const SET_FIELDS: FieldsOf<StrategySetConfig> = {
  read: true,
  write: true,
  health: true,
  wal: true,
  logger: true,
  env: true,
}
const WRITE_FIELDS: FieldsOf<WriteConfig> = {
  enableIdempotency: true,
  decideWithoutPrimary: true,
  timeout: true,
  maxRetries: true,
  retryDelay: true,
  hedge: true,
  minCopies: true,
}
const READ_FIELDS = [
  'treatEmptyAsFailure',
  'maxRetries',
  'retryDelay',
  'enableCacheMerge',
  'timeout',
  'maxHintAge',
]
const CACHE_FIELDS = [
  ...READ_FIELDS,
  'windowSize',
  'ttl',
  'cacheTimeout',
  'localEntries',
  'singleProcess',
]

const SIMPLE_FIELDS = ['healthCheckInterval', 'maxFailureHistory', 'latencyWindowSize']
const CIRCUIT_FIELDS = [
  ...SIMPLE_FIELDS,
  'failureThreshold',
  'failureWindow',
  'circuitOpenDuration',
  'recoverySuccessThreshold',
]
const WAL_FIELDS = [
  'type',
  'flushIntervalMs',
  'gatherMs',
  'batchEntries',
  'owedBytesMax',
  'onWalDown',
]
const MEMORY_WAL_FIELDS = [...WAL_FIELDS, 'maxEntries']
const FILE_WAL_FIELDS = [
  ...WAL_FIELDS,
  'filePath',
  'maxFileSize',
  'rotateOnSize',
  'sync',
  'maxPendingBytes',
]

const STREAM_WAL_FIELDS = [
  ...WAL_FIELDS,
  'url',
  'host',
  'port',
  'username',
  'password',
  'db',
  'tls',
  'sentinel',
  'cluster',
  'client',
  'keyPrefix',
  'connectTimeoutMs',
  'commandTimeoutMs',
  'socketTimeoutMs',
  'partitions',
  'leaseMs',
  'pendingBytesMax',
  'memoryBytesMax',
]

/**
 * Makes strategies by name: the type and its configuration, or both as `{ type, config }`. What it does not
 * know it refuses with `INVALID_ARGUMENT`.
 */
export const StrategyFactory = {
  /** A strategy asks the health manager of the store that it is handed to, whichever is given here. */
  createReadStrategy(
    choice: ReadChoice = 'primary-first',
    given?: CacheEnhancedReadConfig,
    _healthManager?: HealthManager,
  ): ReadStrategy & ReadPort {
    const { type, config } = chosen<ReadStrategyType, CacheEnhancedReadConfig>(
      'read',
      choice,
      given,
    )
    checkFields('read.config', config, type === 'cache-enhanced' ? CACHE_FIELDS : READ_FIELDS)
    switch (type) {
      case 'primary-first':
        return new PrimaryFirstReadStrategy(config)
      case 'failover':
        return new FailoverReadStrategy(config)
      case 'cache-enhanced':
        return new CacheEnhancedReadStrategy(config)
      default:
        throw unknown('read', type, 'primary-first, failover or cache-enhanced')
    }
  },

  /** A strategy asks the health manager of the store that it is handed to, whichever is given here. */
  createWriteStrategy(
    choice: WriteChoice = 'idempotent',
    given?: WriteConfig,
    _healthManager?: HealthManager,
  ): WriteStrategy & WritePort {
    const { type, config } = chosen<WriteStrategyType, WriteConfig>('write', choice, given)
    checkFields('write.config', config, WRITE_FIELDS)
    switch (type) {
      case 'idempotent':
        return new IdempotentWriteStrategy(config)
      case 'wal-first':
        return new WalFirstWriteStrategy(config)
      case 'dual-write':
        return new DualWriteStrategy(config)
      default:
        throw unknown('write', type, 'idempotent, wal-first or dual-write')
    }
  },

  createHealthManager(
    choice: HealthChoice = 'circuit-breaker',
    given?: CircuitBreakerConfig,
    env: Env = nodeEnv(),
  ): HealthManager {
    const { type, config } = chosen<HealthManagerType, CircuitBreakerConfig>(
      'health',
      choice,
      given,
    )
    checkFields('health.config', config, type === 'simple' ? SIMPLE_FIELDS : CIRCUIT_FIELDS)
    switch (type) {
      case 'circuit-breaker':
        return new CircuitBreakerHealthManager(env, config)
      case 'simple':
        return new SimpleHealthManager(env, config)
      default:
        throw unknown('health', type, 'circuit-breaker or simple')
    }
  },

  createWALManager(
    choice: WalChoice | WalManagerType,
    given?: FileWALConfig | InMemoryWALConfig | RedisStreamWALConfig,
    env: Env = nodeEnv(),
  ): WALManager {
    const config = flatten(choice, given)
    switch (config.type) {
      case 'file':
        checkFields('wal', config, FILE_WAL_FIELDS)
        return new FileWALManager(config, env)
      case 'in-memory':
        checkFields('wal', config, MEMORY_WAL_FIELDS)
        return new InMemoryWALManager(config, env)
      case 'redis-stream':
        checkFields('wal', config, STREAM_WAL_FIELDS)
        return new RedisStreamWALManager(config, env)
      default:
        throw unknown('wal', (config as { type: unknown }).type, 'file, in-memory or redis-stream')
    }
  },

  /**
   * One of each. Without `wal` a write strategy that needs a log has one in files at `./data/wal`, and the
   * logger is told so; `dual-write`, which needs none, has none.
   */
  async createStrategySet(given: StrategySetConfig = {}): Promise<StrategySet> {
    checkFields('config', given, SET_FIELDS)
    const { read, write, health, wal, logger } = given
    const env = given.env ?? nodeEnv(logger === undefined ? {} : { logger })
    const healthManager = StrategyFactory.createHealthManager(health, undefined, env)
    const readStrategy = StrategyFactory.createReadStrategy(read)
    const writeStrategy = StrategyFactory.createWriteStrategy(write)
    const walManager =
      wal === undefined
        ? writeStrategy.needsLog
          ? defaultLog(env)
          : undefined
        : StrategyFactory.createWALManager(wal, undefined, env)
    return { readStrategy, writeStrategy, healthManager, walManager }
  },
} as const

function chosen<Type extends string, Config>(
  field: string,
  choice: Choice<Type, Config>,
  given: Config | undefined,
): { readonly type: Type; readonly config: Config | undefined } {
  if (typeof choice === 'string') return { type: choice, config: given }
  checkFields(field, choice, ['type', 'config'])
  if (given !== undefined && choice.config !== undefined) {
    throw invalid(`${field}.config must be given once: in the first argument or the second`)
  }
  return { type: choice.type, config: choice.config ?? given }
}

/** A log by its type, as `{ type, config: { … } }`, or with its fields beside the type. */
function flatten(choice: WalChoice | WalManagerType, given: object | undefined): FlatWal {
  if (typeof choice === 'string') return withType(choice, given)
  checkObject('wal', choice)
  if (!('config' in choice)) return withType(choice.type, { ...choice, type: undefined }, given)
  refuseUnknown('wal', choice, ['type', 'config'])
  return withType(choice.type, choice.config, given)
}

function withType(type: WalManagerType, config: object | undefined, second?: object): FlatWal {
  if (second !== undefined) throw invalid('wal.config must be given once, not in a second argument')
  const { type: inner, ...fields } = (config ?? {}) as { readonly type?: unknown }
  checkObject('wal.config', config ?? {})
  if (inner !== undefined) throw invalid('wal.config.type is not known: it stands beside config')
  return { ...fields, type } as FlatWal
}

function unknown(field: string, type: unknown, types: string): Error {
  return invalid(`${field}.type must be ${types}, got ${showValue(type)}`)
}
