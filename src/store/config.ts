import { ABSENT_DATABASE } from '../backend/absent-database.ts'
import { EncryptedBackend } from '../backend/encrypted/encrypted-backend.ts'
import type { EncryptionOptions } from '../core/encryption/keyring.ts'
import { ValueCipher } from '../core/encryption/value-cipher.ts'
import type { Env } from '../core/env.ts'
import { invalid } from '../core/errors.ts'
import { checkInteger } from '../core/limits.ts'
import { nodeEnv } from '../core/node-env.ts'
import type { Logger } from '../core/logger.ts'
import { StorageManager } from '../manager/storage-manager.ts'
import type { StoreManagers } from '../manager/store-managers.ts'
import {
  cachePartsOf,
  databaseSourceOf,
  placePartsOf,
  type CachePlaceConfig,
  type PlaceConfig,
} from './place-config.ts'
import {
  resolveReconcileOptions,
  type ReconcileChoice,
  type ResolvedReconcileOptions,
} from '../sync/reconcile-options.ts'

export interface StrategicStorageConfig {
  /** The database that is read and written first, and if need be the cache in front of it. */
  readonly primary: PlaceConfig
  /**
   * The database that stands in for it. Without one, primary and log are the two places: what the primary has
   * is on no other database, and while it is out nothing can be read.
   */
  readonly backup?: PlaceConfig
  /** Used by the cache-enhanced read strategy. Default: the cache of `primary`. */
  readonly cache?: CachePlaceConfig
  /** Time to connect at start before a place counts as out. Milliseconds. Default: 5000. */
  readonly connectTimeout?: number
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
  readonly logger?: Logger
  /** Clocks, timers, randomness and disk; replaced in tests. */
  readonly env?: Env
}

/** The managers of a store's places. That of a backup which the store does not have is never connected. */
export interface PlaceManagers extends StoreManagers {
  readonly backup: StorageManager
}

export interface ResolvedStorageConfig {
  readonly env: Env
  /** Encrypts what is stored outside of the primary. */
  readonly cipher: ValueCipher | undefined
  readonly managers: PlaceManagers
  readonly hasBackup: boolean
  readonly drainTimeoutMs: number
  readonly maxClockDriftMs: number
  readonly probeTimeoutMs: number
  readonly reconcile: ResolvedReconcileOptions
}

const DAY_MS = 86_400_000
/** The cache of the store in messages: `store cache`. */
const CACHE_NAME = 'store'

/** Fills the defaults in and refuses what cannot work, naming the field. */
export function resolveStorageConfig(config: StrategicStorageConfig): ResolvedStorageConfig {
  const { connectTimeout = 5_000, drainTimeout = 5_000, probeTimeout = 2_000 } = config
  const { maxClockDriftMs = 300_000, logger } = config
  const env = config.env ?? nodeEnv(logger === undefined ? {} : { logger })
  checkInteger('connectTimeout', connectTimeout, 1, DAY_MS)
  checkInteger('drainTimeout', drainTimeout, 0, DAY_MS)
  checkInteger('probeTimeout', probeTimeout, 1, DAY_MS)
  checkInteger('maxClockDriftMs', maxClockDriftMs, 0, Number.MAX_SAFE_INTEGER)
  if (config.primary === undefined) throw invalid('primary must be given')
  if (config.backup !== undefined && isSame(config.primary, config.backup)) {
    throw invalid('primary and backup must be two databases, got the same one twice')
  }
  const cipher =
    config.encryption === undefined
      ? undefined
      : new ValueCipher(checkEncryption(config.encryption))
  const common = { connectTimeoutMs: connectTimeout }
  const manager = (name: 'primary' | 'backup'): StorageManager => {
    const place = config[name]
    if (place === undefined) return new StorageManager({ database: ABSENT_DATABASE, name }, env)
    const isEncrypted = cipher !== undefined && name === 'backup'
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
  const { cache = 'memory:', database = 'memory:' } = cachePartsOf(place)
  return new StorageManager({ cache, database, connectTimeoutMs, name: CACHE_NAME }, env)
}

function isSame(primary: PlaceConfig, backup: PlaceConfig): boolean {
  if (primary instanceof StorageManager) return primary === backup
  const database = databaseSourceOf('primary', primary)
  // Each connection to memory is a database of its own.
  if (database === 'memory:' || database === 'sqlite::memory:') return false
  return database === databaseSourceOf('backup', backup)
}

function checkEncryption(options: EncryptionOptions): EncryptionOptions {
  const given: unknown = options
  if (typeof given !== 'object' || given === null || !('keys' in given)) {
    throw invalid('encryption must be an object with keys')
  }
  const unknown = Object.keys(given).filter((name) => name !== 'keys')
  if (unknown.length > 0) throw invalid(`encryption has no field ${unknown.join(', ')}`)
  return options
}
