import type { ConnectionOptions } from 'node:tls'
import { invalid } from '../../../core/errors.ts'
import {
  boolean,
  byDefault,
  either,
  fields,
  hidden,
  integer,
  list,
  ms,
  needed,
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
  type Table,
} from '../../../core/options.ts'
import { TIMER_MS_MAX } from '../../../core/time.ts'
import { decodeUrlPart } from '../../decode-url-part.ts'
import { TLS_OPTION } from '../../tls-option.ts'
import { CLIENT_OPTION, type GivenClient } from './given-client.ts'

/** Where one server listens. */
export interface RedisAddress {
  readonly host: string
  readonly port: number
}

/**
 * - `true`: TLS, and the server's certificate must be valid for its name.
 * - `'no-verify'`: TLS without that check: anybody in between can read and change everything.
 * - `false`: no TLS.
 * - an object: TLS with these settings, such as `ca`.
 */
export type RedisTls = boolean | 'no-verify' | ConnectionOptions

/** How to reach a server, its Sentinels or a Cluster; shared by the database and the cache. */
export interface RedisConnectionOptions {
  /**
   * `redis://user:password@host:port/db`, or `rediss://` for TLS. `?cluster=true`,
   * `?sentinel=NAME` (host and port are then those of a Sentinel), `?nodes=host:port,host:port` for
   * more of either, `?keyPrefix=…` and `?tls=no-verify` are understood. Fields given beside it win.
   */
  readonly url?: string
  /** Default: 127.0.0.1. */
  readonly host?: string
  /** Default: 6379; 26379 with `sentinel`. */
  readonly port?: number
  readonly username?: string
  readonly password?: string
  /** Number of the database. A Cluster has only 0. Default: 0. */
  readonly db?: number
  /** Default: false. */
  readonly tls?: RedisTls
  /** Asks these Sentinels where the master called `name` is. Default of `nodes`: host and port. */
  readonly sentinel?: {
    readonly name: string
    readonly nodes?: readonly RedisAddress[]
    readonly username?: string
    readonly password?: string
  }
  /** A Cluster; `true` begins at host and port. Each node must be reachable by the name it gives. */
  readonly cluster?: boolean | { readonly nodes: readonly RedisAddress[] }
  /**
   * A client of your own, of `redis` or `ioredis`, used instead of all above. It is left open by
   * `disconnect`. One of ioredis must have `autoResendUnfulfilledCommands: false`: else it runs
   * commands twice after a reset. Its timeouts, reconnecting and error listener are yours.
   */
  readonly client?: GivenClient
  /** What every key of the server starts with. No braces. Default: `everthread:`. */
  readonly keyPrefix?: string
  /** Longest wait for a new connection. Milliseconds. Default: 5,000. */
  readonly connectTimeoutMs?: number
  /** Longest wait for an answer. Milliseconds. Default: 5,000. */
  readonly commandTimeoutMs?: number
  /**
   * A connection on which nothing arrives for this long is given up. It is asked for a sign of life
   * three times as often. Milliseconds. Default: 1,500.
   */
  readonly socketTimeoutMs?: number
}

/** Options of a Redis database. */
export interface RedisOptions extends RedisConnectionOptions {
  /** Batches of `apply` that run at once, a shard. Default: 2. */
  readonly inFlightMax?: number
  /**
   * Parts that a new database is made of; one that stands keeps its own number. Each part is in one
   * slot of a Cluster. Default: 1, on a Cluster 16.
   */
  readonly shards?: number
}

export interface ResolvedRedisConnection {
  readonly mode: 'standalone' | 'sentinel' | 'cluster'
  readonly nodes: readonly RedisAddress[]
  readonly sentinel:
    | {
        readonly name: string
        readonly username: string | undefined
        readonly password: string | undefined
      }
    | undefined
  readonly username: string | undefined
  readonly password: string | undefined
  readonly db: number
  readonly tls: ConnectionOptions | undefined
  readonly client: GivenClient | undefined
  readonly keyPrefix: string
  readonly connectTimeoutMs: number
  readonly commandTimeoutMs: number
  readonly socketTimeoutMs: number
}

export interface ResolvedRedisOptions {
  readonly connection: ResolvedRedisConnection
  readonly inFlightMax: number
  readonly shards: number | undefined
}

const PORT = integer(1, 65_535)
const ADDRESS: OptionTable<RedisAddress> = { host: needed(text()), port: needed(PORT) }
const NODES = list(fields(ADDRESS), 1)
/** Braces would decide the slot of a key. */
const KEY_PREFIX = value<string>(
  'a text of at most 100 characters without braces',
  (given) => typeof given === 'string' && isPrefix(given),
  (given) => given,
)

function isPrefix(given: string): boolean {
  return /^[^{}]{0,100}$/s.test(given) && !given.includes('\0') && given.isWellFormed()
}

type Sentinel = NonNullable<RedisConnectionOptions['sentinel']>
const SENTINEL: OptionTable<Sentinel> = {
  name: needed(text()),
  nodes: NODES,
  username: secret(),
  password: secret(),
}

export type RedisConnectionTable = OptionTable<
  RedisConnectionOptions & { readonly type?: string },
  | 'host'
  | 'db'
  | 'tls'
  | 'cluster'
  | 'keyPrefix'
  | 'connectTimeoutMs'
  | 'commandTimeoutMs'
  | 'socketTimeoutMs'
>

export const REDIS_CONNECTION: RedisConnectionTable = {
  type: oneOf('redis'),
  url: secret(),
  host: byDefault('127.0.0.1', text()),
  port: PORT,
  username: secret(),
  password: secret(),
  db: byDefault(0, integer(0, 1_000_000)),
  tls: byDefault(false, TLS_OPTION),
  sentinel: fields(SENTINEL),
  cluster: byDefault(false, either(boolean(), fields({ nodes: needed(NODES) }))),
  client: CLIENT_OPTION,
  keyPrefix: byDefault('everthread:', KEY_PREFIX),
  connectTimeoutMs: byDefault(5_000, ms(1, TIMER_MS_MAX)),
  commandTimeoutMs: byDefault(5_000, ms(1, TIMER_MS_MAX)),
  socketTimeoutMs: byDefault(1_500, ms(10, TIMER_MS_MAX)),
}

export const REDIS_OPTIONS: RedisConnectionTable &
  OptionTable<Pick<RedisOptions, 'inFlightMax' | 'shards'>, 'inFlightMax'> = {
  ...REDIS_CONNECTION,
  inFlightMax: byDefault(2, integer(1, 100)),
  // Each shard is asked by every listing.
  shards: integer(1, 256),
}

/** What the query of a URL says of the servers. */
const QUERY = {
  cluster: boolean(),
  sentinel: text(),
  nodes: hidden(value<string>('host:port,host:port', isAddresses, (given) => given)),
  keyPrefix: KEY_PREFIX,
  tls: oneOf('true', 'no-verify'),
}

/** Fills the defaults in and refuses what cannot work. */
export function resolveRedisOptions(options: RedisOptions, path = ''): ResolvedRedisOptions {
  const { resolved, connection } = resolveRedis(options, REDIS_OPTIONS, path)
  return { connection, inFlightMax: resolved.inFlightMax, shards: resolved.shards }
}

/** The same for what the database, the cache and the log share; each has defaults of its own. */
export function resolveRedisConnection(
  options: RedisConnectionOptions,
  table: RedisConnectionTable = REDIS_CONNECTION,
  path = '',
): ResolvedRedisConnection {
  return resolveRedis(options, table, path).connection
}

/** The same for a table that has more; `inQuery` is what of it the query of a URL may say. */
export function resolveRedis<T extends RedisConnectionTable>(
  options: RedisConnectionOptions,
  table: T,
  path: string,
  inQuery: Table = {},
): { readonly resolved: Resolved<T>; readonly connection: ResolvedRedisConnection } {
  let more: readonly RedisAddress[] = []
  const merged = withUrl(path, options, (url, field) => {
    const parsed = parseUrl(url, field, inQuery)
    more = parsed.more
    return parsed.options
  })
  const resolved = resolve(path, merged, table)
  const connection = resolved as unknown as Resolved<RedisConnectionTable>
  return { resolved, connection: connectionOf(connection, more, path) }
}

/** The servers in messages. */
export function whereOf({
  client,
  nodes,
  sentinel,
}: Pick<ResolvedRedisConnection, 'client' | 'nodes' | 'sentinel'>): string {
  if (client !== undefined) return 'a client of the application'
  const addresses = nodes.map(({ host, port }) => `${host}:${port}`).join(', ')
  return sentinel === undefined ? addresses : `${sentinel.name} of Sentinel ${addresses}`
}

function connectionOf(
  resolved: Resolved<RedisConnectionTable>,
  more: readonly RedisAddress[],
  path: string,
): ResolvedRedisConnection {
  const { sentinel, cluster, db, tls, client, username, password } = resolved
  if (cluster !== false && sentinel !== undefined) {
    throw invalid(
      `${at(path, 'cluster')} must be left out beside sentinel: they exclude each other`,
    )
  }
  if (cluster !== false && db !== 0) {
    throw invalid(`${at(path, 'db')} must be 0: a Cluster has only db 0, got ${db}`)
  }
  return {
    mode: cluster !== false ? 'cluster' : sentinel !== undefined ? 'sentinel' : 'standalone',
    nodes: nodesOf(resolved, more),
    sentinel: sentinel && {
      name: sentinel.name,
      username: sentinel.username,
      password: sentinel.password,
    },
    username,
    password,
    db,
    tls: tlsOf(tls),
    client,
    keyPrefix: resolved.keyPrefix,
    connectTimeoutMs: resolved.connectTimeoutMs,
    commandTimeoutMs: resolved.commandTimeoutMs,
    socketTimeoutMs: resolved.socketTimeoutMs,
  }
}

function nodesOf(
  { sentinel, cluster, host, port }: Resolved<RedisConnectionTable>,
  more: readonly RedisAddress[],
): readonly RedisAddress[] {
  const named = typeof cluster === 'object' ? cluster.nodes : sentinel?.nodes
  const first = { host, port: port ?? (sentinel === undefined ? 6379 : 26_379) }
  return named ?? [first, ...more]
}

function parseUrl(
  text: string,
  path: string,
  inQuery: Table,
): { readonly options: object; readonly more: readonly RedisAddress[] } {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined) throw invalid(`${path} must be a valid redis:// URL`)
  if (url.protocol !== 'redis:' && url.protocol !== 'rediss:') {
    throw invalid(`${path} must start with redis:// or rediss://, got ${url.protocol}`)
  }
  const database = url.pathname.slice(1)
  if (!/^\d*$/.test(database)) {
    throw invalid(`${path} must have the number of a database as its path`)
  }
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  const isSecure = url.protocol === 'rediss:'
  const query = resolveQuery(path, url.searchParams, { ...inQuery, ...QUERY })
  const { sentinel, nodes, tls, ...rest } = query
  if (tls !== undefined && !isSecure) throw invalid(`${path} must start with rediss:// for tls`)
  const options = {
    ...rest,
    ...(host !== '' && { host }),
    ...(url.port !== '' && { port: Number(url.port) }),
    ...(url.username !== '' && { username: decodeUrlPart(url.username, 'user') }),
    ...(url.password !== '' && { password: decodeUrlPart(url.password, 'password') }),
    ...(database !== '' && { db: Number(database) }),
    ...(isSecure && { tls: tls === 'no-verify' ? tls : true }),
    ...(sentinel !== undefined && { sentinel: { name: sentinel } }),
  }
  return { options, more: addressesOf(nodes) }
}

function isAddresses(given: unknown): boolean {
  return addressesOf(String(given)).every(({ port }) => port > 0 && port <= 65_535)
}

function addressesOf(text = ''): readonly RedisAddress[] {
  const parts = text.split(',').filter((part) => part !== '')
  return parts.map((part) => {
    const [, host = '', port] = /^(.+):(\d{1,5})$/.exec(part) ?? []
    return { host: host.replace(/^\[(.*)\]$/, '$1'), port: Number(port) }
  })
}

function tlsOf(tls: RedisTls): ConnectionOptions | undefined {
  if (tls === false) return undefined
  if (tls === 'no-verify') return { rejectUnauthorized: false }
  return tls === true ? {} : tls
}
