import { resolve as resolvePath } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { ABSENT_DATABASE } from '../backend/absent-database.ts'
import { isDatabaseBackend, isReplicaBackend } from '../backend/sources.ts'
import { sqliteFile, type SqliteOptions } from '../backend/sqlite/connection/options.ts'
import { EncryptedBackend } from '../backend/encrypted/encrypted-backend.ts'
import { ENCRYPTION_OPTIONS, type EncryptionOptions } from '../core/encryption/keyring.ts'
import { ValueCipher } from '../core/encryption/value-cipher.ts'
import type { Env } from '../core/env.ts'
import { invalid } from '../core/errors.ts'
import { nodeEnv } from '../core/node-env.ts'
import { silentLogger, type Logger } from '../core/logger.ts'
import { consoleLogger } from '../core/node-logger.ts'
import { boolean, byDefault, ENV, fields, ms, needed, STORE_LOGGER } from '../core/option-kinds.ts'
import { resolve, type OptionTable } from '../core/options.ts'
import { DAY_MS } from '../core/time.ts'
import { StorageManager } from '../manager/storage-manager.ts'
import type { StoreManagers } from '../manager/store-managers.ts'
import {
  CACHE_PLACE_OPTION,
  cachePartsOf,
  databaseSourceOf,
  PLACE_OPTION,
  placePartsOf,
  type CachePlaceConfig,
  type PlaceConfig,
} from './place-config.ts'
import {
  RECONCILE_OPTION,
  resolveReconcileOptions,
  type ReconcileChoice,
  type ResolvedReconcileOptions,
} from '../sync/reconcile-options.ts'

export interface StrategicStorageConfig {
  /** The database that is read and written first, and if need be the cache in front of it. */
  primary: PlaceConfig
  /**
   * The database that stands in for it. Without one, primary and log are the two places: what the primary has
   * is on no other database, and while it is out nothing can be read.
   */
  backup?: PlaceConfig
  /** Used by the cache-enhanced read strategy. Default: the cache of `primary`. */
  cache?: CachePlaceConfig
  /**
   * Time to connect, or to open the log, at start before a place counts as out. Milliseconds. Default: 5000,
   * for the log 30,000: recovering a million entries takes some seconds.
   */
  readonly connectTimeout?: number
  /**
   * Whether the store opens without a place that cannot be used for as long as nobody mends the settings or
   * that place: a wrong password, an unknown database, a missing right or driver, TLS that does not fit, a
   * file that is no database. Default: false, `connect` rejects. What may be an outage never hinders it.
   */
  readonly allowDegradedStart?: boolean
  /** Time to drain at `disconnect`. Milliseconds. Default: 5000. */
  readonly drainTimeout?: number
  /** A stamp further ahead of this clock is followed for its key only. ms. Default: 300,000. */
  readonly maxClockDriftMs?: number
  /** Time of one call that looks after the places themselves. ms. Default: 2000. */
  readonly probeTimeout?: number
  /**
   * When primary and backup are compared, and how fast. `false`: not by the clock, only when it is
   * asked for and when a database has changed. `on-demand`: only when it is asked for.
   */
  readonly reconcile?: ReconcileChoice
  /** Encrypts the values in the log and in the backup. Default: they are stored as they are. */
  readonly encryption?: EncryptionOptions
  /**
   * Any pino-like logger. `false`: silent. Default: warnings and errors on standard error, one line when
   * something changes; with an `env` that of the environment.
   */
  readonly logger?: Logger | false
  /** Clocks, timers, randomness and disk; replaced in tests. */
  readonly env?: Env
}

/** The managers of a store's places. That of a backup which the store does not have is never connected. */
export interface PlaceManagers extends StoreManagers {
  readonly backup: StorageManager
}

export interface ResolvedStorageConfig {
  readonly env: Env
  /**
   * Encrypts what is stored outside of the primary. Without keys where no encryption is asked for: then it
   * refuses what others have encrypted.
   */
  readonly cipher: ValueCipher
  readonly managers: PlaceManagers
  readonly hasBackup: boolean
  readonly allowDegradedStart: boolean
  /** How long a start waits for the log. */
  readonly logOpenMs: number
  readonly drainTimeoutMs: number
  readonly maxClockDriftMs: number
  readonly probeTimeoutMs: number
  readonly reconcile: ResolvedReconcileOptions
}

const CONNECT_MS = 5_000
const LOG_OPEN_MS = 30_000
/** The cache of the store in messages: `store cache`. */
const CACHE_NAME = 'store'

export const STORE_OPTIONS: OptionTable<
  StrategicStorageConfig,
  'allowDegradedStart' | 'drainTimeout' | 'maxClockDriftMs' | 'probeTimeout'
> = {
  primary: needed(PLACE_OPTION),
  backup: PLACE_OPTION,
  cache: CACHE_PLACE_OPTION,
  connectTimeout: ms(1, DAY_MS),
  allowDegradedStart: byDefault(false, boolean()),
  drainTimeout: byDefault(5_000, ms(0, DAY_MS)),
  maxClockDriftMs: byDefault(300_000, ms(0, Number.MAX_SAFE_INTEGER)),
  probeTimeout: byDefault(2_000, ms(1, DAY_MS)),
  reconcile: RECONCILE_OPTION,
  encryption: fields(ENCRYPTION_OPTIONS),
  logger: STORE_LOGGER,
  env: ENV,
}

/** The environment of a store: the one that it was given, else the machine's, with this logger. */
export function storeEnv({ env, logger }: Pick<StrategicStorageConfig, 'env' | 'logger'>): Env {
  return env ?? nodeEnv({ logger: logger === false ? silentLogger : (logger ?? consoleLogger()) })
}

/** Fills the defaults in and refuses what cannot work, naming the field. */
export function resolveStorageConfig(given: StrategicStorageConfig): ResolvedStorageConfig {
  const config = resolve('', given, STORE_OPTIONS)
  const { connectTimeout = CONNECT_MS, drainTimeout, probeTimeout, maxClockDriftMs } = config
  const env = storeEnv(config)
  if (config.backup !== undefined && isSame(config.primary, config.backup)) {
    throw invalid('primary and backup must be two databases, got the same one twice')
  }
  const cipher = new ValueCipher(config.encryption)
  const common = { connectTimeoutMs: connectTimeout }
  const manager = (name: 'primary' | 'backup'): StorageManager => {
    const place = config[name]
    if (place === undefined) return new StorageManager({ database: ABSENT_DATABASE, name }, env)
    const isEncrypted = config.encryption !== undefined && name === 'backup'
    if (place instanceof StorageManager) {
      if (!isEncrypted) return place
      throw invalid('backup must not be a StorageManager with encryption: give what it connects to')
    }
    const { database, ...rest } = placePartsOf(name, place)
    return new StorageManager(
      {
        ...rest,
        ...common,
        database: isEncrypted ? new EncryptedBackend(database, cipher, env, name) : database,
        name,
      },
      env,
    )
  }
  const cache = cacheManager(config.cache, connectTimeout, env)
  return {
    env,
    cipher,
    hasBackup: config.backup !== undefined,
    managers: {
      primary: manager('primary'),
      backup: manager('backup'),
      ...(cache !== undefined && { cache }),
    },
    allowDegradedStart: config.allowDegradedStart,
    logOpenMs: config.connectTimeout ?? LOG_OPEN_MS,
    drainTimeoutMs: drainTimeout,
    maxClockDriftMs,
    probeTimeoutMs: probeTimeout,
    reconcile: resolveReconcileOptions(config.reconcile),
  }
}

/** The cache of a store has a manager of its own, so that each place is one of its parts. */
function cacheManager(
  place: CachePlaceConfig | undefined,
  connectTimeoutMs: number,
  env: Env,
): StorageManager | undefined {
  if (place === undefined || place instanceof StorageManager) return place
  const { cache = 'memory:', database = 'memory:' } = cachePartsOf('cache', place)
  return new StorageManager({ cache, database, connectTimeoutMs, name: CACHE_NAME }, env)
}

function isSame(primary: PlaceConfig, backup: PlaceConfig): boolean {
  if (primary instanceof StorageManager) return primary === backup
  const one = databaseSourceOf('primary', primary)
  const other = databaseSourceOf('backup', backup)
  // Each connection to memory is a database of its own.
  if (isInMemory(one)) return false
  if (one === other) return true
  if (!isConfig(one) || !isConfig(other)) return false
  const [file, otherFile] = [sqlitePath(one), sqlitePath(other)]
  if (file !== undefined) return file === otherFile
  return isDeepStrictEqual(one, other)
}

/** The SQLite file, however its path is written. */
function sqlitePath(config: object): string | undefined {
  if ((config as { readonly type?: unknown }).type !== 'sqlite') return undefined
  return resolvePath(sqliteFile(config as SqliteOptions))
}

/** True for what says how to connect, false for what is ready. */
function isConfig(source: unknown): source is object {
  return (
    typeof source === 'object' &&
    source !== null &&
    !isReplicaBackend(source) &&
    !isDatabaseBackend(source)
  )
}

function isInMemory(source: unknown): boolean {
  if (!isConfig(source)) return false
  const { type, path } = source as { readonly type?: unknown; readonly path?: unknown }
  return type === 'in-memory' || path === ':memory:'
}
