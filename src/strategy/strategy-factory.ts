import type { Env } from '../core/env.ts'
import { invalid } from '../core/errors.ts'
import { fieldsOf } from '../core/given.ts'
import type { Logger } from '../core/logger.ts'
import { ENV, listed, LOGGER, oneOf } from '../core/option-kinds.ts'
import { at, refuseUnknown, resolve, type Option, type OptionTable } from '../core/options.ts'
import { nodeEnv } from '../core/node-env.ts'
import {
  CIRCUIT_OPTIONS,
  CircuitBreakerHealthManager,
  type CircuitBreakerConfig,
} from '../health/circuit-breaker.ts'
import { HEALTH_OPTIONS } from '../health/health-base.ts'
import type { HealthManager } from '../health/health-manager.ts'
import { SimpleHealthManager, type SimpleHealthConfig } from '../health/simple.ts'
import { defaultLog } from '../wal/default-log.ts'
import { FileWALManager, resolveFileWAL, type FileWALConfig } from '../wal/file-wal-manager.ts'
import {
  InMemoryWALManager,
  MEMORY_WAL_OPTIONS,
  type InMemoryWALConfig,
} from '../wal/in-memory-wal-manager.ts'
import {
  RedisStreamWALManager,
  resolveStreamWAL,
  type RedisStreamWALConfig,
} from '../wal/redis-stream-wal-manager.ts'
import type { WALManager } from '../wal/wal-manager.ts'
import {
  CACHE_ENHANCED_OPTIONS,
  CacheEnhancedReadStrategy,
  type CacheEnhancedReadConfig,
} from './read/cache-enhanced.ts'
import { FAILOVER_OPTIONS, FailoverReadStrategy } from './read/failover.ts'
import { PrimaryFirstReadStrategy } from './read/primary-first.ts'
import type { ReadConfig, ReadPort } from './read/read-port.ts'
import type { ReadStrategy } from './read/read-strategy.ts'
import { READ_OPTIONS } from './read/selecting-read-strategy.ts'
import { DualWriteStrategy } from './write/dual-write.ts'
import { IdempotentWriteStrategy } from './write/idempotent.ts'
import { WalFirstWriteStrategy } from './write/wal-first.ts'
import { resolveWriteConfig } from './write/write-config.ts'
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

export interface StrategySetConfig {
  read?: ReadChoice
  write?: WriteChoice
  health?: HealthChoice
  /** Left out: a log in files at `./data/wal` where the write strategy needs one, else none. */
  wal?: WalChoice | WalManagerType
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

/** What a choice of each type may have, checked. */
type Checks<Type extends string> = Readonly<Record<Type, (config: object, path: string) => unknown>>

const READ: Checks<ReadStrategyType> = {
  'primary-first': (config, path) => resolve(path, config, READ_OPTIONS),
  failover: (config, path) => resolve(path, config, FAILOVER_OPTIONS),
  'cache-enhanced': (config, path) => resolve(path, config, CACHE_ENHANCED_OPTIONS),
}
const WRITE: Checks<WriteStrategyType> = {
  idempotent: resolveWriteConfig,
  'wal-first': resolveWriteConfig,
  'dual-write': resolveWriteConfig,
}
const HEALTH: Checks<HealthManagerType> = {
  'circuit-breaker': (config, path) => resolve(path, config, CIRCUIT_OPTIONS),
  simple: (config, path) => resolve(path, config, HEALTH_OPTIONS),
}
const WAL: Checks<WalManagerType> = {
  file: resolveFileWAL,
  'in-memory': (config, path) => resolve(path, config, MEMORY_WAL_OPTIONS),
  'redis-stream': resolveStreamWAL,
}

export const READ_CHOICE: Option<ReadChoice> = choiceOf(READ)
export const WRITE_CHOICE: Option<WriteChoice> = choiceOf(WRITE)
export const HEALTH_CHOICE: Option<HealthChoice> = choiceOf(HEALTH)
export const WAL_CHOICE: Option<WalChoice | WalManagerType> = choiceOf(WAL, true)

export const SET_OPTIONS: OptionTable<StrategySetConfig> = {
  read: READ_CHOICE,
  write: WRITE_CHOICE,
  health: HEALTH_CHOICE,
  wal: WAL_CHOICE,
  logger: LOGGER,
  env: ENV,
}

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
    const { type, config } = chosen('read', choice, given, READ)
    switch (type) {
      case 'primary-first':
        return new PrimaryFirstReadStrategy(config)
      case 'failover':
        return new FailoverReadStrategy(config)
      case 'cache-enhanced':
        return new CacheEnhancedReadStrategy(config)
    }
  },

  /** A strategy asks the health manager of the store that it is handed to, whichever is given here. */
  createWriteStrategy(
    choice: WriteChoice = 'idempotent',
    given?: WriteConfig,
    _healthManager?: HealthManager,
  ): WriteStrategy & WritePort {
    const { type, config } = chosen('write', choice, given, WRITE)
    switch (type) {
      case 'idempotent':
        return new IdempotentWriteStrategy(config)
      case 'wal-first':
        return new WalFirstWriteStrategy(config)
      case 'dual-write':
        return new DualWriteStrategy(config)
    }
  },

  createHealthManager(
    choice: HealthChoice = 'circuit-breaker',
    given?: CircuitBreakerConfig,
    env: Env = nodeEnv(),
  ): HealthManager {
    const { type, config } = chosen('health', choice, given, HEALTH)
    switch (type) {
      case 'circuit-breaker':
        return new CircuitBreakerHealthManager(env, config)
      case 'simple':
        return new SimpleHealthManager(env, config)
    }
  },

  createWALManager(
    choice: WalChoice | WalManagerType,
    given?: FileWALConfig | InMemoryWALConfig | RedisStreamWALConfig,
    env: Env = nodeEnv(),
  ): WALManager {
    const { type, config } = chosen('wal', choice, given, WAL, true)
    switch (type) {
      case 'file':
        return new FileWALManager(config, env)
      case 'in-memory':
        return new InMemoryWALManager(config, env)
      case 'redis-stream':
        return new RedisStreamWALManager(config, env)
    }
  },

  /**
   * One of each. Without `wal` a write strategy that needs a log has one in files at `./data/wal`, and the
   * logger, without one that of the store, is told so; `dual-write`, which needs none, has none.
   */
  async createStrategySet(given: StrategySetConfig = {}): Promise<StrategySet> {
    const { read, write, health, wal, logger, ...rest } = resolve('', given, SET_OPTIONS)
    const env = rest.env ?? nodeEnv(logger === undefined ? {} : { logger })
    const healthManager = StrategyFactory.createHealthManager(health, undefined, env)
    const readStrategy = StrategyFactory.createReadStrategy(read)
    const writeStrategy = StrategyFactory.createWriteStrategy(write)
    const walManager =
      wal === undefined
        ? writeStrategy.needsLog
          ? defaultLog(env, logger ?? rest.env?.logger)
          : undefined
        : StrategyFactory.createWALManager(wal, undefined, env)
    return { readStrategy, writeStrategy, healthManager, walManager }
  },
} as const

interface Chosen<Type extends string> {
  readonly type: Type
  readonly config: object
}

/**
 * A choice by its type, or as `{ type, config }`; with `isFlat` the fields may stand beside the type.
 *
 * @throws StorageError `INVALID_ARGUMENT` that names what is wrong by its path.
 */
function chosen<Type extends string>(
  path: string,
  choice: unknown,
  second: object | undefined,
  checks: Checks<Type>,
  isFlat = false,
): Chosen<Type> {
  const fields = fieldsOf<Record<string, unknown>>(
    path,
    typeof choice === 'string' ? { type: choice } : (choice as Record<string, unknown>),
  )
  const { type, ...beside } = fields
  const types = Object.keys(checks)
  oneOf(...types).check(at(path, 'type'), type)
  const check = checks[type as Type]
  if (isFlat && !('config' in fields) && Object.keys(beside).length > 0) {
    refuseSecond(path, second)
    check(beside, path)
    return { type: type as Type, config: beside }
  }
  refuseUnknown(path, fields, ['type', 'config'])
  const { config = {} } = beside['config'] === undefined ? { config: second } : beside
  if (beside['config'] !== undefined) refuseSecond(path, second)
  check(config as object, at(path, 'config'))
  return { type: type as Type, config: config as object }
}

function refuseSecond(path: string, second: object | undefined): void {
  if (second === undefined) return
  throw invalid(`${at(path, 'config')} must be given once: in the first argument or the second`)
}

function choiceOf<Type extends string, Choice>(
  checks: Checks<Type>,
  isFlat = false,
): Option<Choice> {
  return {
    takes: `${listed(Object.keys(checks))}, alone or as { type, config }`,
    check(path, choice) {
      chosen(path, choice, undefined, checks, isFlat)
      return choice as Choice
    },
    parse: (text) => text,
  }
}
