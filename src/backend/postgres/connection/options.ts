import type { ConnectionOptions } from 'node:tls'
import { invalid } from '../../../core/errors.ts'
import { isLoopback } from '../../../core/node-loopback.ts'
import {
  boolean,
  byDefault,
  integer,
  matching,
  ms,
  oneOf,
  secret,
  text,
  value,
} from '../../../core/option-kinds.ts'
import {
  at,
  resolve,
  resolveQuery,
  withUrl,
  type OptionTable,
  type Resolved,
} from '../../../core/options.ts'
import { TIMER_MS_MAX } from '../../../core/time.ts'
import { decodeUrlPart } from '../../decode-url-part.ts'
import { TLS_OPTION } from '../../tls-option.ts'
import type { PgPool } from './pg-types.ts'
import {
  CONNECTIONS,
  POOL_OPTION,
  poolOf,
  type PostgresPoolConfig,
  type ResolvedPool,
} from './pool-options.ts'

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
  /**
   * Makes an index of texts for `search`, and indexes what is there already. Left out: an index that is there
   * is used and kept up, but none is made. Default: false.
   */
  readonly search?: boolean
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
  readonly search: boolean
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

/** The client gives up this much later than the server: its answer tells more. Milliseconds. */
export const CLIENT_GRACE_MS = 1_000

/** 63 bytes is the limit of the server; the longest name that is appended takes 32. */
const IDENTIFIER = /^[a-z_][a-z0-9_]{0,62}$/
const PREFIX = /^[a-z_][a-z0-9_]{0,30}$/

export const POSTGRES_OPTIONS: OptionTable<
  PostgresOptions & { readonly type?: 'postgresql' | 'postgres' },
  | 'host'
  | 'port'
  | 'user'
  | 'maxConnections'
  | 'idleTimeoutMillis'
  | 'statementTimeoutMs'
  | 'disconnectTimeoutMs'
  | 'inFlightMax'
  | 'schema'
  | 'tablePrefix'
  | 'migrate'
  | 'search'
> = {
  type: oneOf('postgresql', 'postgres'),
  url: secret(),
  host: byDefault('127.0.0.1', text()),
  port: byDefault(5432, integer(1, 65_535)),
  database: text(),
  user: byDefault('postgres', text()),
  password: secret(),
  ssl: TLS_OPTION,
  pool: POOL_OPTION,
  maxConnections: byDefault(10, CONNECTIONS),
  idleTimeoutMillis: byDefault(30_000, ms(1, TIMER_MS_MAX)),
  connectionTimeoutMillis: ms(1, TIMER_MS_MAX),
  connectTimeoutMs: ms(1, TIMER_MS_MAX),
  statementTimeoutMs: byDefault(10_000, ms(1, TIMER_MS_MAX - CLIENT_GRACE_MS)),
  disconnectTimeoutMs: byDefault(5_000, ms(0, TIMER_MS_MAX)),
  inFlightMax: byDefault(2, integer(1, 100)),
  schema: byDefault('public', matching(IDENTIFIER, 'at most 63 lowercase letters, digits and _')),
  tablePrefix: byDefault(
    'everthread_',
    matching(PREFIX, 'at most 31 lowercase letters, digits and _'),
  ),
  migrate: byDefault('connect', oneOf('connect', 'never')),
  search: byDefault(false, boolean()),
}

/** What the query of a URL says. The last ones are for other clients, and change nothing here. */
const QUERY = {
  host: text(),
  port: integer(1, 65_535),
  sslmode: value<string>(
    'disable, no-verify, prefer, require, verify-ca or verify-full',
    (given) => sslOf(given) !== undefined,
  ),
  search: boolean(),
  application_name: secret(),
  channel_binding: secret(),
  pgbouncer: secret(),
}

/** Fills the defaults in and refuses what cannot work. */
export function resolvePostgresOptions(
  options: PostgresOptions,
  path = '',
): ResolvedPostgresOptions {
  const resolved = resolve(path, withUrl(path, options, parseUrl), POSTGRES_OPTIONS)
  const { connectionTimeoutMillis, connectTimeoutMs = connectionTimeoutMillis ?? 5_000 } = resolved
  if (connectionTimeoutMillis !== undefined && connectionTimeoutMillis !== connectTimeoutMs) {
    const field = at(path, 'connectionTimeoutMillis')
    throw invalid(`${field} must be connectTimeoutMs: give one of them`)
  }
  const { statementTimeoutMs, disconnectTimeoutMs, inFlightMax } = resolved
  const { schema, tablePrefix, migrate, search } = resolved
  return {
    connection: connectionOf(resolved),
    pool: poolOf(resolved, path),
    connectTimeoutMs,
    statementTimeoutMs,
    disconnectTimeoutMs,
    inFlightMax,
    schema,
    tablePrefix,
    migrate,
    search,
  }
}

function connectionOf({
  host,
  port,
  user,
  database = user,
  password,
  ssl = !isLocal(host),
}: Resolved<typeof POSTGRES_OPTIONS>): PgConnection {
  return { host, port, database, user, password, ssl: resolveSsl(ssl) }
}

function parseUrl(text: string, path: string): PostgresOptions {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined) throw invalid(`${path} must be a PostgreSQL URL of one host`)
  if (!['postgres:', 'postgresql:'].includes(url.protocol)) {
    throw invalid(`${path} must start with postgres://, got ${url.protocol}`)
  }
  const query = resolveQuery(path, url.searchParams, QUERY)
  const host = query.host ?? decodeUrlPart(url.hostname, 'host')
  const database = decodeUrlPart(url.pathname.slice(1), 'database')
  const ssl = sslOf(query.sslmode)
  return {
    ...(host !== '' && { host: host.replace(/^\[(.*)\]$/, '$1') }),
    ...(url.port !== '' && { port: Number(url.port) }),
    ...(query.port !== undefined && { port: query.port }),
    ...(url.username !== '' && { user: decodeUrlPart(url.username, 'user') }),
    ...(url.password !== '' && { password: decodeUrlPart(url.password, 'password') }),
    ...(database !== '' && { database }),
    ...(ssl !== undefined && { ssl }),
    ...(query.search !== undefined && { search: query.search }),
  }
}

/** Every mode that encrypts also verifies; only `no-verify` says that it does not. */
function sslOf(mode: unknown): PostgresSsl | undefined {
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
      return undefined
  }
}

function resolveSsl(ssl: PostgresSsl): false | ConnectionOptions {
  if (ssl === false) return false
  if (ssl === 'no-verify') return { rejectUnauthorized: false }
  return ssl === true ? { rejectUnauthorized: true } : ssl
}

function isLocal(host: string): boolean {
  return host.startsWith('/') || isLoopback(host)
}
