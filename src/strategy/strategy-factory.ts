import type { Env } from '../core/env.ts'
import { invalid } from '../core/errors.ts'
import { checkObject } from '../core/limits.ts'
import { checkFields, refuseUnknown } from '../core/options.ts'
import { showValue } from '../core/show-value.ts'
import { nodeEnv } from '../core/node-env.ts'
import {
  CircuitBreakerHealthManager,
  type CircuitBreakerConfig,
} from '../health/circuit-breaker.ts'
import type { HealthManager } from '../health/health-manager.ts'
import { SimpleHealthManager, type SimpleHealthConfig } from '../health/simple.ts'
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
import type { ReadConfig, ReadStrategy } from './read/read-strategy.ts'
import { DualWriteStrategy } from './write/dual-write.ts'
import { IdempotentWriteStrategy } from './write/idempotent.ts'
import { WalFirstWriteStrategy } from './write/wal-first.ts'
import type { WriteConfig, WriteStrategy } from './write/write-strategy.ts'

export type ReadStrategyType = 'primary-first' | 'failover' | 'cache-enhanced'
export type WriteStrategyType = 'idempotent' | 'wal-first' | 'dual-write'
export type HealthManagerType = 'circuit-breaker' | 'simple'

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

type Flat<Type extends string, Config> = { readonly type: Type } & Config
type WithConfig<Type extends string, Config> =
  Flat<Type, Config> | { readonly type: Type; readonly config?: Config }
type FlatWal =
  | Flat<'file', FileWALConfig>
  | Flat<'in-memory', InMemoryWALConfig>
  | Flat<'redis-stream', RedisStreamWALConfig>

export interface StrategySetConfig {
  readonly read?: ReadChoice
  readonly write?: WriteChoice
  readonly health?: HealthChoice
  /** Left out: no log, for strategies that need none. */
  readonly wal?: WalChoice
  readonly env?: Env
}

export interface StrategySet {
  readonly read: ReadStrategy
  readonly write: WriteStrategy
  readonly health: HealthManager
  readonly wal: WALManager | undefined
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

/** Makes strategies by name. What it does not know it refuses with `INVALID_ARGUMENT`. */
export const StrategyFactory = {
  createReadStrategy(choice: ReadChoice = 'primary-first'): ReadStrategy {
    const { type, config } = open<ReadStrategyType, CacheEnhancedReadConfig>('read', choice)
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

  createWriteStrategy(choice: WriteChoice = 'idempotent'): WriteStrategy {
    const { type, config } = open<WriteStrategyType, WriteConfig>('write', choice)
    checkFields('write.config', config, [
      'enableIdempotency',
      'decideWithoutPrimary',
      'timeout',
      'maxRetries',
      'retryDelay',
      'hedge',
      'minCopies',
    ])
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
    env: Env = nodeEnv(),
  ): HealthManager {
    const { type, config } = open<HealthManagerType, CircuitBreakerConfig>('health', choice)
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

  createWALManager(given: WalChoice, env: Env = nodeEnv()): WALManager {
    const choice = flatten(given)
    switch (choice.type) {
      case 'file':
        checkFields('wal', choice, FILE_WAL_FIELDS)
        return new FileWALManager(choice, env)
      case 'in-memory':
        checkFields('wal', choice, MEMORY_WAL_FIELDS)
        return new InMemoryWALManager(choice, env)
      case 'redis-stream':
        checkFields('wal', choice, STREAM_WAL_FIELDS)
        return new RedisStreamWALManager(choice, env)
      default:
        throw unknown('wal', (choice as { type: unknown }).type, 'file, in-memory or redis-stream')
    }
  },

  createStrategySet({ read, write, health, wal, env }: StrategySetConfig = {}): StrategySet {
    const writeStrategy = StrategyFactory.createWriteStrategy(write)
    if (wal === undefined && writeStrategy.needsLog) {
      throw invalid(`wal must be given: write strategy ${writeStrategy.type} needs a log`)
    }
    return {
      read: StrategyFactory.createReadStrategy(read),
      write: writeStrategy,
      health: StrategyFactory.createHealthManager(health, env),
      wal: wal === undefined ? undefined : StrategyFactory.createWALManager(wal, env),
    }
  },
} as const

function open<Type extends string, Config>(
  field: string,
  choice: Choice<Type, Config>,
): { readonly type: Type; readonly config: Config | undefined } {
  if (typeof choice === 'string') return { type: choice, config: undefined }
  const given: unknown = choice
  if (typeof given !== 'object' || given === null) {
    throw invalid(`${field} must be a name or { type, config }, got ${showValue(given)}`)
  }
  return { type: choice.type, config: choice.config }
}

/** A log as `{ type, config: { … } }`, or with its fields beside the type. */
function flatten(choice: WalChoice): FlatWal {
  checkObject('wal', choice)
  if (!('config' in choice)) return choice as FlatWal
  refuseUnknown('wal', choice, ['type', 'config'])
  const { type, config = {} } = choice
  checkObject('wal.config', config)
  if ('type' in config) throw invalid('wal.config.type is not known: it stands beside config')
  return { ...config, type } as FlatWal
}

function unknown(field: string, type: unknown, types: string): Error {
  return invalid(`${field}.type must be ${types}, got ${showValue(type)}`)
}
