import type { WalConfig } from '../backend/backend-config.ts'
import { parseWalString } from '../backend/connection-string.ts'
import type { EncryptionOptions } from '../core/encryption/keyring.ts'
import type { Env } from '../core/env.ts'
import { dataWarning } from '../core/node-host.ts'
import { invalid } from '../core/errors.ts'
import { reading } from '../core/given.ts'
import { checkText, TENANT_BYTES_MAX } from '../core/limits.ts'
import { byDefault, ENV } from '../core/option-kinds.ts'
import { resolve, UNSET, type Option, type OptionTable } from '../core/options.ts'
import type { ReconcileChoice } from '../sync/reconcile-options.ts'
import type { Logger } from '../core/logger.ts'
import { STORE_OPTIONS, storeEnv } from '../store/config.ts'
import { PLACE_OPTION, type CachePlaceConfig, type PlaceConfig } from '../store/place-config.ts'
import { StrategicStorageManager } from '../store/strategic-storage-manager.ts'
import {
  HEALTH_CHOICE,
  READ_CHOICE,
  StrategyFactory,
  WAL_CHOICE,
  WRITE_CHOICE,
  type HealthChoice,
  type ReadChoice,
  type WalChoice,
  type WriteChoice,
} from '../strategy/strategy-factory.ts'
import { WALManager } from '../wal/wal-manager.ts'
import { ChatHistory } from './chat-history.ts'

import {
  RETENTION_OPTION,
  type ResolvedRetention,
  type RetentionOptions,
} from './retention/retention-options.ts'
import type { ProviderName } from './providers/shapes.ts'
import { Retention } from './retention/retention.ts'
import { SESSION_SECRET, SessionTokens } from './session-token.ts'

/** Where everything is kept when nothing is said: below the working directory, without a server. */
const CHAT_HISTORY_DEFAULTS = {
  primary: 'sqlite:./data/primary.db',
  backup: 'sqlite:./data/backup.db',
  wal: 'file:./data/wal',
} as const
const DATA_FOLDER = './data'

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
  /**
   * Time to connect, or to open the log, at start before a place counts as out. Milliseconds. Default: 5000,
   * for the log 30,000: recovering a million entries takes some seconds.
   */
  readonly connectTimeout?: number
  /**
   * Whether it opens without a place that cannot be used for as long as nobody mends the settings or that
   * place: a wrong password, an unknown database, a missing right or driver, TLS that does not fit, a file
   * that is no database. Default: false, opening rejects. What may be an outage never hinders it.
   */
  readonly allowDegradedStart?: boolean
  /** Time to drain at `close`. Milliseconds. Default: 5000. */
  readonly drainTimeout?: number
  /** When primary and backup are compared by themselves, and how fast; `false`: only when needed. */
  readonly reconcile?: ReconcileChoice
  /**
   * Any pino-like logger. `false`: silent. Default: warnings and errors on standard error, one line when
   * something changes; with an `env` that of the environment.
   */
  readonly logger?: Logger | false
  /** Clocks, timers, randomness and disk; replaced in tests. */
  readonly env?: Env
}

/** A session token further ahead of our clock than this is refused. Milliseconds. */
const SESSION_AHEAD_MS = 300_000

type Wal = NonNullable<ChatHistoryOptions['wal']>

const WAL_OPTION: Option<Wal> = {
  takes: `a connection string, ${WAL_CHOICE.takes}, or a WALManager`,
  check(path, wal) {
    if (!(wal instanceof WALManager)) WAL_CHOICE.check(path, walConfigOf(path, wal))
    return wal as Wal
  },
}

const TENANT: Option<string> = {
  takes: `text of at most ${TENANT_BYTES_MAX} bytes`,
  check(path, tenant) {
    if (tenant === '') return tenant
    checkText(path, tenant, TENANT_BYTES_MAX)
    return tenant
  },
}

type Checked = Omit<ChatHistoryOptions, 'retention'> & { readonly retention?: ResolvedRetention }

export const CHAT_HISTORY_OPTIONS: OptionTable<
  Checked,
  'primary' | 'backup' | 'wal' | 'tenant' | 'allowDegradedStart' | 'drainTimeout'
> = {
  primary: byDefault(CHAT_HISTORY_DEFAULTS.primary, PLACE_OPTION),
  backup: byDefault(CHAT_HISTORY_DEFAULTS.backup, PLACE_OPTION),
  wal: byDefault(CHAT_HISTORY_DEFAULTS.wal, WAL_OPTION),
  cache: STORE_OPTIONS.cache,
  read: READ_CHOICE,
  write: WRITE_CHOICE,
  health: HEALTH_CHOICE,
  tenant: byDefault('', TENANT),
  sessionSecret: SESSION_SECRET,
  retention: RETENTION_OPTION,
  encryption: STORE_OPTIONS.encryption,
  connectTimeout: STORE_OPTIONS.connectTimeout,
  allowDegradedStart: STORE_OPTIONS.allowDegradedStart,
  drainTimeout: STORE_OPTIONS.drainTimeout,
  reconcile: STORE_OPTIONS.reconcile,
  logger: STORE_OPTIONS.logger,
  env: ENV,
}

/**
 * Opens a chat history. It starts as long as one durable place is there; those that are out are connected
 * when they come back. `Extras` are fields of your own that its messages have, beside the known ones:
 * `openChatHistory<{ traceId?: string }>()`, or the name of a provider whose
 * messages they are, `openChatHistory<'anthropic'>()`. Nothing checks them at run time.
 *
 * @throws StorageError `INVALID_ARGUMENT` that names the field, `CONNECTION` when no durable place
 * can be used, `CONNECTION` or `UNSUPPORTED` when one can never be used as things are set up (unless
 * `allowDegradedStart`), `CORRUPT` when the log is damaged.
 */
export async function openChatHistory<Extras extends object | ProviderName = {}>(
  options: ChatHistoryOptions = {},
): Promise<ChatHistory<Extras>> {
  const isPlaced = hasPlace(options)
  const { env, store, tenant, tokens, limits } = partsOf(options)
  if (!isPlaced) tellOfDefaults(env)
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

/** Fields whose value says where messages are kept. */
const PLACE_FIELDS = ['primary', 'backup', 'wal'] as const

/**
 * True when some place is given. Refuses one that is `undefined`, and not left out: it is meant to be
 * somewhere, and would be where the default is.
 */
function hasPlace(options: unknown): boolean {
  if (typeof options !== 'object' || options === null) return false
  const places = PLACE_FIELDS.filter((name) => Object.hasOwn(options, name))
  for (const name of places) {
    if (reading(name, () => (options as ChatHistoryOptions)[name]) !== undefined) continue
    const otherwise = `leave it out for the default, ${CHAT_HISTORY_DEFAULTS[name]}`
    throw invalid(`${name} is undefined: ${UNSET}; ${otherwise}`)
  }
  return places.length > 0
}

/** On a server the working directory is seldom where data is meant to be, and goes with a container. */
function tellOfDefaults({ logger }: Env): void {
  const warning = dataWarning(DATA_FOLDER)
  if (warning !== undefined) logger.warn({ event: 'default-places' }, warning)
}

/** Everything that the options ask for; nothing is opened yet. */
function partsOf(options: ChatHistoryOptions): Parts {
  const { wal, tenant, sessionSecret, retention, read, write, health, ...places } = resolve(
    '',
    options,
    CHAT_HISTORY_OPTIONS,
  )
  const env = storeEnv(places)
  const store = new StrategicStorageManager(
    { ...places, env },
    StrategyFactory.createReadStrategy(read),
    StrategyFactory.createWriteStrategy(write),
    StrategyFactory.createHealthManager(health, undefined, env),
    wal instanceof WALManager
      ? wal
      : StrategyFactory.createWALManager(walConfigOf('wal', wal), undefined, env),
  )
  const tokens =
    sessionSecret === undefined ? undefined : new SessionTokens(sessionSecret, SESSION_AHEAD_MS)
  return { env, store, tenant, tokens, limits: retention }
}

function walConfigOf(path: string, wal: unknown): WalChoice {
  return (typeof wal === 'string' ? parseWalString(wal, path) : wal) as WalChoice
}
