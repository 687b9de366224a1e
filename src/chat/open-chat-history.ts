import type { WalConfig } from '../backend/backend-config.ts'
import { parseWalString } from '../backend/connection-string.ts'
import type { EncryptionOptions } from '../core/encryption/keyring.ts'
import type { Env } from '../core/env.ts'
import { invalid } from '../core/errors.ts'
import { reading } from '../core/given.ts'
import { checkObject } from '../core/limits.ts'
import { checkFields } from '../core/options.ts'
import type { ReconcileChoice } from '../sync/reconcile-options.ts'
import type { Logger } from '../core/logger.ts'
import { showValue } from '../core/show-value.ts'
import { nodeEnv } from '../core/node-env.ts'
import type { CachePlaceConfig, PlaceConfig } from '../store/place-config.ts'
import { StrategicStorageManager } from '../store/strategic-storage-manager.ts'
import {
  StrategyFactory,
  type HealthChoice,
  type ReadChoice,
  type WalChoice,
  type WriteChoice,
} from '../strategy/strategy-factory.ts'
import { WALManager } from '../wal/wal-manager.ts'
import { ChatHistory } from './chat-history.ts'
import { tenantPrefix } from './keys.ts'
import {
  resolveRetention,
  type ResolvedRetention,
  type RetentionOptions,
} from './retention/retention-options.ts'
import { Retention } from './retention/retention.ts'
import { SessionTokens } from './session-token.ts'

/** Where everything is kept when nothing is said: below the working directory, without a server. */
export const CHAT_HISTORY_DEFAULTS = {
  primary: 'sqlite:./data/primary.db',
  backup: 'sqlite:./data/backup.db',
  wal: 'file:./data/wal',
} as const

export interface ChatHistoryOptions {
  /** The database that is read and written first. Default: `CHAT_HISTORY_DEFAULTS.primary`. */
  readonly primary?: PlaceConfig
  /** The database that stands in for it. Default: `sqlite:./data/backup.db`. */
  readonly backup?: PlaceConfig
  /**
   * The log: `file:DIRECTORY`, `memory:`, or `redis-stream://HOST:PORT/DB?onWalDown=direct` for one that
   * several processes share. Default: `file:./data/wal`.
   */
  readonly wal?: string | WalConfig | WalChoice | WALManager
  /** In front of the primary, for cache-enhanced reads. Default: that of `primary`, if it has one. */
  readonly cache?: CachePlaceConfig
  /** Default: `primary-first`. */
  readonly read?: ReadChoice
  /** Default: `idempotent`. */
  readonly write?: WriteChoice
  /** Default: `circuit-breaker`. */
  readonly health?: HealthChoice
  /** Whose conversations these are; other tenants' cannot be reached. Default: none. */
  readonly tenant?: string
  /**
   * At least 16 bytes that all processes of the application share, never its users: receipts and
   * pages then carry session tokens, and reads take them. Default: no tokens.
   */
  readonly sessionSecret?: string | Uint8Array
  /**
   * Encrypts contents in the log and in the backup with AES-256-GCM; the primary and the cache keep them
   * plain. Default: nothing is encrypted.
   */
  readonly encryption?: EncryptionOptions
  /** How long messages of this tenant are kept, and how many. Default: all, for ever. */
  readonly retention?: RetentionOptions
  /** Time to connect at start before a place counts as out. Milliseconds. Default: 5000. */
  readonly connectTimeout?: number
  /** Time to drain at `close`. Milliseconds. Default: 5000. */
  readonly drainTimeout?: number
  /** When primary and backup are compared by themselves, and how fast; `false`: only when needed. */
  readonly reconcile?: ReconcileChoice
  /** Any pino-like logger. Default: silent. */
  readonly logger?: Logger
  /** Clocks, timers, randomness and disk; replaced in tests. */
  readonly env?: Env
}

/** A session token further ahead of our clock than this is refused. Milliseconds. */
const SESSION_AHEAD_MS = 300_000

const FIELDS = [
  'primary',
  'backup',
  'wal',
  'cache',
  'read',
  'write',
  'health',
  'tenant',
  'sessionSecret',
  'retention',
  'encryption',
  'connectTimeout',
  'drainTimeout',
  'reconcile',
  'logger',
  'env',
] as const

/**
 * Opens a chat history. It starts as long as one durable place is there; the others are connected
 * when they come back.
 *
 * @throws StorageError `INVALID_ARGUMENT` that names the field, `CONNECTION` when no durable place
 * can be used, `CORRUPT` when the log is damaged.
 */
export async function openChatHistory(options: ChatHistoryOptions = {}): Promise<ChatHistory> {
  checkObject('options', options)
  const { env, store, tenant, tokens, limits } = reading('options', () => partsOf(options))
  await store.connect()
  const retention =
    limits === undefined ? undefined : new Retention({ env, store, tenant, options: limits })
  retention?.start()
  return new ChatHistory(store, tenant, tokens, retention)
}

interface Parts {
  readonly env: Env
  readonly store: StrategicStorageManager
  readonly tenant: string
  readonly tokens: SessionTokens | undefined
  readonly limits: ResolvedRetention | undefined
}

/** Everything that the options ask for; nothing is opened yet. */
function partsOf(options: ChatHistoryOptions): Parts {
  checkFields('options', options, FIELDS)
  const { primary, backup, wal } = { ...CHAT_HISTORY_DEFAULTS, ...defined(options) }
  const { cache, read, write, health, tenant = '' } = options
  const { connectTimeout, drainTimeout, reconcile, logger } = options
  tenantPrefix(tenant)
  const limits = options.retention === undefined ? undefined : resolveRetention(options.retention)
  const tokens =
    options.sessionSecret === undefined
      ? undefined
      : new SessionTokens(options.sessionSecret, SESSION_AHEAD_MS)
  const env = options.env ?? nodeEnv(logger === undefined ? {} : { logger })
  const store = new StrategicStorageManager(
    {
      primary,
      backup,
      env,
      ...(cache !== undefined && { cache }),
      ...(options.encryption !== undefined && { encryption: options.encryption }),
      ...(connectTimeout !== undefined && { connectTimeout }),
      ...(drainTimeout !== undefined && { drainTimeout }),
      ...(reconcile !== undefined && { reconcile }),
    },
    StrategyFactory.createReadStrategy(read),
    StrategyFactory.createWriteStrategy(write),
    StrategyFactory.createHealthManager(health, undefined, env),
    openWal(wal, env),
  )
  return { env, store, tenant, tokens, limits }
}

/** The options that were given: an explicit `undefined` gets the default too. */
function defined(options: ChatHistoryOptions): ChatHistoryOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
}

function openWal(wal: NonNullable<ChatHistoryOptions['wal']>, env: Env): WALManager {
  if (wal instanceof WALManager) return wal
  const config = typeof wal === 'string' ? parseWalString(wal, 'wal') : wal
  if (typeof config !== 'object' || config === null) {
    throw invalid(`wal must be a connection string or an object, got ${showValue(config)}`)
  }
  return StrategyFactory.createWALManager(config, undefined, env)
}
