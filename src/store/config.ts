import type { CacheSource, DatabaseSource } from '../backend/registry.ts'
import { EncryptedBackend } from '../backend/encrypted/encrypted-backend.ts'
import type { EncryptionOptions } from '../core/encryption/keyring.ts'
import { ValueCipher } from '../core/encryption/value-cipher.ts'
import type { Env } from '../core/env.ts'
import { invalid } from '../core/errors.ts'
import { checkInteger } from '../core/limits.ts'
import { nodeEnv } from '../core/node-env.ts'
import type { Logger } from '../core/logger.ts'
import { StorageManager } from '../manager/storage-manager.ts'
import {
  resolveReconcileOptions,
  type ReconcileChoice,
  type ResolvedReconcileOptions,
} from '../sync/reconcile-options.ts'

/** One database place: what to connect to, or a manager that is ready. */
export type PlaceConfig = DatabaseSource | StorageManager

export interface StrategicStorageConfig {
  readonly primary: PlaceConfig
  readonly backup: PlaceConfig
  /** Cache in front of the primary; used by the cache-enhanced read strategy. */
  readonly cache?: CacheSource
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

export interface ResolvedStorageConfig {
  readonly env: Env
  /** Encrypts what is stored outside of the primary. */
  readonly cipher: ValueCipher | undefined
  readonly primary: StorageManager
  readonly backup: StorageManager
  readonly drainTimeoutMs: number
  readonly maxClockDriftMs: number
  readonly probeTimeoutMs: number
  readonly reconcile: ResolvedReconcileOptions
}

const DAY_MS = 86_400_000

/** Fills the defaults in and refuses what cannot work, naming the field. */
export function resolveStorageConfig(config: StrategicStorageConfig): ResolvedStorageConfig {
  const { connectTimeout = 5_000, drainTimeout = 5_000, probeTimeout = 2_000 } = config
  const { maxClockDriftMs = 300_000, logger } = config
  const env = config.env ?? nodeEnv(logger === undefined ? {} : { logger })
  checkInteger('connectTimeout', connectTimeout, 1, DAY_MS)
  checkInteger('drainTimeout', drainTimeout, 0, DAY_MS)
  checkInteger('probeTimeout', probeTimeout, 1, DAY_MS)
  checkInteger('maxClockDriftMs', maxClockDriftMs, 0, Number.MAX_SAFE_INTEGER)
  for (const place of ['primary', 'backup'] as const) {
    if (config[place] === undefined) throw invalid(`${place} must be given`)
  }
  if (config.primary === config.backup && !isPrivateMemory(config.primary)) {
    throw invalid('primary and backup must be two databases, got the same one twice')
  }
  const cipher =
    config.encryption === undefined
      ? undefined
      : new ValueCipher(checkEncryption(config.encryption))
  const manager = (name: 'primary' | 'backup', cache?: CacheSource): StorageManager => {
    const place = config[name]
    if (place instanceof StorageManager) {
      if (cipher === undefined || name === 'primary') return place
      throw invalid('backup must not be a StorageManager with encryption: give what it connects to')
    }
    const isEncrypted = cipher !== undefined && name === 'backup'
    return new StorageManager(
      {
        database: isEncrypted ? new EncryptedBackend(place, cipher, env, name) : place,
        name,
        connectTimeoutMs: connectTimeout,
        ...(cache !== undefined && { cache }),
      },
      env,
    )
  }
  return {
    env,
    cipher,
    primary: manager('primary', config.cache),
    backup: manager('backup'),
    drainTimeoutMs: drainTimeout,
    maxClockDriftMs,
    probeTimeoutMs: probeTimeout,
    reconcile: resolveReconcileOptions(config.reconcile),
  }
}

/** Each connection to memory is a database of its own. */
function isPrivateMemory(place: PlaceConfig): boolean {
  return place === 'memory:' || place === 'sqlite::memory:'
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
