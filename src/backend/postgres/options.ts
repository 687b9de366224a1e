import { isIPv4 } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import { invalid, messageOf } from '../../core/errors.ts'
import { checkInteger } from '../../core/limits.ts'
import { given, refuseUnknown, type FieldsOf } from '../../core/options.ts'
import { decodeUrlPart } from '../decode-url-part.ts'
import type { PgPool } from './pg-types.ts'
import { resolvePool, type PostgresPoolConfig, type ResolvedPool } from './pool-options.ts'

/**
 * - `true`: TLS, and the server's certificate must be valid for its name.
 * - `'no-verify'`: TLS without that check: anybody in between can read and change everything.
 * - `false`: no TLS.
 * - an object: TLS with these settings, such as `ca`.
 */
export type PostgresSsl = boolean | 'no-verify' | ConnectionOptions

/** Where the database is and how it is used; `resolvePostgresOptions` checks it. */
export interface PostgresOptions {
  /** `postgres://user:password@host:port/database?sslmode=…`. Fields given beside it win. */
  readonly url?: string
  /** Default: 127.0.0.1. A path that starts with `/` is the folder of a Unix socket. */
  readonly host?: string
  /** Default: 5432. */
  readonly port?: number
  /** Default: the user's name. */
  readonly database?: string
  /** Default: postgres. */
  readonly user?: string
  readonly password?: string
  /** Default: false on the loopback interface and a Unix socket, true elsewhere. */
  readonly ssl?: PostgresSsl
  /**
   * A pool of your own, used instead of all above. It is left open by `disconnect`, and no session
   * setting of it is changed: its statement timeout and durability are yours. It must send a Buffer as a
   * parameter in binary format, as `pg` does. A plain object has settings of our pool instead, which win
   * over those beside it.
   */
  readonly pool?: PgPool | PostgresPoolConfig
  /** Connections at most. Default: 10. */
  readonly maxConnections?: number
  /** A connection that nobody needs is closed after this. Milliseconds. Default: 30,000. */
  readonly idleTimeoutMillis?: number
  /** The same as `connectTimeoutMs`, by the name that `pg` has for it. */
  readonly connectionTimeoutMillis?: number
  /** Longest wait for a new connection. Milliseconds. Default: 5,000. */
  readonly connectTimeoutMs?: number
  /** The server cancels a statement after this. Milliseconds. Default: 10,000. */
  readonly statementTimeoutMs?: number
  /** Longest that `disconnect` waits for calls in flight. Milliseconds. Default: 5,000. */
  readonly disconnectTimeoutMs?: number
  /** Batches of `apply` that run at once. Default: 2. */
  readonly inFlightMax?: number
  /** Schema of the tables; it is created when missing. Default: public. */
  readonly schema?: string
  /** Start of the tables' names. Default: everthread_. */
  readonly tablePrefix?: string
  /** `never` refuses to connect to a database whose tables are missing or old. Default: connect. */
  readonly migrate?: 'connect' | 'never'
}

export interface ResolvedPostgresOptions {
  readonly connection: PgConnection
  readonly pool: ResolvedPool
  readonly connectTimeoutMs: number
  readonly statementTimeoutMs: number
  readonly disconnectTimeoutMs: number
  readonly inFlightMax: number
  readonly schema: string
  readonly tablePrefix: string
  readonly migrate: 'connect' | 'never'
}

/** Where to connect, as the driver takes it. */
export interface PgConnection {
  readonly host: string
  readonly port: number
  readonly database: string
  readonly user: string
  readonly password: string | undefined
  readonly ssl: false | ConnectionOptions
}

const FIELDS: FieldsOf<PostgresOptions & { readonly type: string }> = {
  type: true,
  url: true,
  host: true,
  port: true,
  database: true,
  user: true,
  password: true,
  ssl: true,
  pool: true,
  maxConnections: true,
  idleTimeoutMillis: true,
  connectionTimeoutMillis: true,
  connectTimeoutMs: true,
  statementTimeoutMs: true,
  disconnectTimeoutMs: true,
  inFlightMax: true,
  schema: true,
  tablePrefix: true,
  migrate: true,
}

const TIMER_MS_MAX = 2 ** 31 - 1
/** 63 bytes is the limit of the server; the longest name that is appended takes 32. */
const IDENTIFIER = /^[a-z_][a-z0-9_]{0,62}$/
const PREFIX = /^[a-z_][a-z0-9_]{0,30}$/

/** Fills the defaults in and refuses what cannot work. */
export function resolvePostgresOptions(options: PostgresOptions): ResolvedPostgresOptions {
  refuseUnknown('', options, FIELDS)
  const {
    connectTimeoutMs = options.connectionTimeoutMillis ?? 5_000,
    statementTimeoutMs = 10_000,
    disconnectTimeoutMs = 5_000,
    inFlightMax = 2,
    schema = 'public',
    tablePrefix = 'everthread_',
    migrate = 'connect',
  } = options
  const { connectionTimeoutMillis = connectTimeoutMs } = options
  checkInteger('connectionTimeoutMillis', connectionTimeoutMillis, 1, TIMER_MS_MAX)
  checkInteger('connectTimeoutMs', connectTimeoutMs, 1, TIMER_MS_MAX)
  if (connectionTimeoutMillis !== connectTimeoutMs) {
    throw invalid('connectionTimeoutMillis must be connectTimeoutMs: give one of them')
  }
  checkInteger('statementTimeoutMs', statementTimeoutMs, 1, TIMER_MS_MAX - CLIENT_GRACE_MS)
  checkInteger('disconnectTimeoutMs', disconnectTimeoutMs, 0, TIMER_MS_MAX)
  checkInteger('inFlightMax', inFlightMax, 1, 100)
  checkIdentifier('schema', schema, IDENTIFIER)
  checkIdentifier('tablePrefix', tablePrefix, PREFIX)
  return {
    connection: resolveConnection(options),
    pool: resolvePool(options),
    connectTimeoutMs,
    statementTimeoutMs,
    disconnectTimeoutMs,
    inFlightMax,
    schema,
    tablePrefix,
    migrate,
  }
}

/** The client gives up this much later than the server: its answer tells more. Milliseconds. */
export const CLIENT_GRACE_MS = 1_000

function checkIdentifier(name: string, text: string, pattern: RegExp): void {
  if (pattern.test(text)) return
  throw invalid(
    `${name} must be lowercase letters, digits and underscores, got ${JSON.stringify(text)}`,
  )
}

function resolveConnection(options: PostgresOptions): PgConnection {
  const fromUrl = options.url === undefined ? {} : parseUrl(options.url)
  const {
    host = '127.0.0.1',
    port = 5432,
    user = 'postgres',
    database = user,
    password,
    ssl = !isLocal(host),
  } = { ...fromUrl, ...given(options) }
  checkInteger('port', port, 1, 65_535)
  return { host, port, database, user, password, ssl: resolveSsl(ssl) }
}

/** Never quotes the URL in an error: it may hold the password. */
function parseUrl(text: string): PostgresOptions {
  let url: URL
  try {
    url = new URL(text)
  } catch (error) {
    throw invalid(`url must be a PostgreSQL URL of one host: ${messageOf(error)}`)
  }
  if (!['postgres:', 'postgresql:'].includes(url.protocol)) {
    throw invalid(`url must start with postgres://, got ${url.protocol}`)
  }
  const host = url.searchParams.get('host') ?? decodeUrlPart(url.hostname, 'host')
  const database = decodeUrlPart(url.pathname.slice(1), 'database')
  const sslmode = url.searchParams.get('sslmode')
  return {
    ...(host !== '' && { host: host.replace(/^\[(.*)\]$/, '$1') }),
    ...(url.port !== '' && { port: Number(url.port) }),
    ...(url.username !== '' && { user: decodeUrlPart(url.username, 'user') }),
    ...(url.password !== '' && { password: decodeUrlPart(url.password, 'password') }),
    ...(database !== '' && { database }),
    ...(sslmode !== null && { ssl: sslOf(sslmode) }),
  }
}

/** Every mode that encrypts also verifies; only `no-verify` says that it does not. */
function sslOf(mode: string): PostgresSsl {
  switch (mode) {
    case 'disable':
      return false
    case 'no-verify':
      return 'no-verify'
    case 'prefer':
    case 'require':
    case 'verify-ca':
    case 'verify-full':
      return true
    default:
      throw invalid(`sslmode must be disable, no-verify, require or verify-full, got ${mode}`)
  }
}

function resolveSsl(ssl: PostgresSsl): false | ConnectionOptions {
  if (ssl === false) return false
  if (ssl === 'no-verify') return { rejectUnauthorized: false }
  return ssl === true ? { rejectUnauthorized: true } : ssl
}

function isLocal(host: string): boolean {
  if (host.startsWith('/') || host === 'localhost' || host === '::1') return true
  return isIPv4(host) && host.startsWith('127.')
}
