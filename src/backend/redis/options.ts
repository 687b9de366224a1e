import type { ConnectionOptions } from 'node:tls'
import { invalid } from '../../core/errors.ts'
import { checkInteger } from '../../core/limits.ts'
import { given, refuseUnknown, type FieldsOf } from '../../core/options.ts'
import { decodeUrlPart } from '../decode-url-part.ts'
import type { GivenClient } from './given-client.ts'

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

const TIMER_MS_MAX = 2 ** 31 - 1
const KEY_PREFIX_MAX = 100
/** Each shard is asked by every listing. */
const SHARDS_MAX = 256

const CONNECTION_FIELDS: FieldsOf<RedisConnectionOptions & { readonly type: string }> = {
  type: true,
  url: true,
  host: true,
  port: true,
  username: true,
  password: true,
  db: true,
  tls: true,
  sentinel: true,
  cluster: true,
  client: true,
  keyPrefix: true,
  connectTimeoutMs: true,
  commandTimeoutMs: true,
  socketTimeoutMs: true,
}

/** Fills the defaults in and refuses what cannot work. */
export function resolveRedisOptions(options: RedisOptions): ResolvedRedisOptions {
  refuseUnknown('', options, { ...CONNECTION_FIELDS, inFlightMax: true, shards: true })
  const { inFlightMax = 2, shards, ...connection } = options
  checkInteger('inFlightMax', inFlightMax, 1, 100)
  if (shards !== undefined) checkInteger('shards', shards, 1, SHARDS_MAX)
  return { connection: resolveRedisConnection(connection, 'everthread:'), inFlightMax, shards }
}

/** The same for what the database and the cache share. */
export function resolveRedisConnection(
  options: RedisConnectionOptions,
  defaultPrefix: string,
): ResolvedRedisConnection {
  refuseUnknown('', options, CONNECTION_FIELDS)
  const fromUrl = options.url === undefined ? {} : parseUrl(options.url)
  const resolved = { ...fromUrl, ...given(options) }
  const {
    client,
    connectTimeoutMs = 5_000,
    commandTimeoutMs = 5_000,
    socketTimeoutMs = 1_500,
  } = resolved
  const { sentinel, cluster = false, db = 0, keyPrefix = defaultPrefix, tls = false } = resolved
  checkInteger('connectTimeoutMs', connectTimeoutMs, 1, TIMER_MS_MAX)
  checkInteger('commandTimeoutMs', commandTimeoutMs, 1, TIMER_MS_MAX)
  checkInteger('socketTimeoutMs', socketTimeoutMs, 10, TIMER_MS_MAX)
  checkInteger('db', db, 0, 1_000_000)
  checkKeyPrefix(keyPrefix)
  if (cluster !== false && sentinel !== undefined)
    throw invalid('cluster and sentinel exclude each other')
  if (cluster !== false && db !== 0) throw invalid(`a Cluster has only db 0, got ${db}`)
  return {
    mode: cluster !== false ? 'cluster' : sentinel !== undefined ? 'sentinel' : 'standalone',
    nodes: nodesOf(resolved),
    sentinel: sentinel && {
      name: sentinel.name,
      username: sentinel.username,
      password: sentinel.password,
    },
    username: resolved.username,
    password: resolved.password,
    db,
    tls: tlsOf(tls),
    client,
    keyPrefix,
    connectTimeoutMs,
    commandTimeoutMs,
    socketTimeoutMs,
  }
}

interface FromUrl extends RedisConnectionOptions {
  readonly more?: readonly RedisAddress[]
}

function nodesOf(given: FromUrl): readonly RedisAddress[] {
  const { sentinel, cluster, host = '127.0.0.1', more = [] } = given
  const { port = sentinel === undefined ? 6379 : 26_379 } = given
  const named = typeof cluster === 'object' ? cluster.nodes : sentinel?.nodes
  const nodes = named ?? [{ host, port }, ...more]
  if (nodes.length === 0) throw invalid('nodes must not be empty')
  for (const node of nodes) checkInteger('port', node.port, 1, 65_535)
  return nodes
}

/** Braces would decide the slot of a key. */
function checkKeyPrefix(prefix: string): void {
  if (
    typeof prefix === 'string' &&
    prefix.length <= KEY_PREFIX_MAX &&
    !/[{}]/.test(prefix) &&
    !prefix.includes('\0') &&
    prefix.isWellFormed()
  )
    return
  throw invalid(`keyPrefix must be a text of at most ${KEY_PREFIX_MAX} characters without braces`)
}

/** Never quotes the URL in an error: it may hold the password. */
function parseUrl(text: string): FromUrl {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined) throw invalid('url must be a valid redis:// URL')
  if (url.protocol !== 'redis:' && url.protocol !== 'rediss:') {
    throw invalid(`url must start with redis:// or rediss://, got ${url.protocol}`)
  }
  const query = url.searchParams
  const path = url.pathname.slice(1)
  if (!/^\d*$/.test(path)) throw invalid('the path of a Redis url must be the number of a database')
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  const sentinel = query.get('sentinel')
  const keyPrefix = query.get('keyPrefix')
  const secure = url.protocol === 'rediss:'
  return {
    ...(host !== '' && { host }),
    ...(url.port !== '' && { port: Number(url.port) }),
    ...(url.username !== '' && { username: decodeUrlPart(url.username, 'user') }),
    ...(url.password !== '' && { password: decodeUrlPart(url.password, 'password') }),
    ...(path !== '' && { db: Number(path) }),
    ...(secure && { tls: query.get('tls') === 'no-verify' ? ('no-verify' as const) : true }),
    ...(keyPrefix !== null && { keyPrefix }),
    ...(query.get('cluster') === 'true' && { cluster: true }),
    ...(sentinel !== null && { sentinel: { name: sentinel } }),
    more: addressesOf(query.get('nodes')),
  }
}

function addressesOf(text: string | null): readonly RedisAddress[] {
  if (text === null || text === '') return []
  return text.split(',').map((part) => {
    const at = part.lastIndexOf(':')
    if (at <= 0) throw invalid('nodes of a Redis url must be host:port,host:port')
    return { host: part.slice(0, at).replace(/^\[(.*)\]$/, '$1'), port: Number(part.slice(at + 1)) }
  })
}

function tlsOf(tls: RedisTls): ConnectionOptions | undefined {
  if (tls === false) return undefined
  if (tls === 'no-verify') return { rejectUnauthorized: false }
  return tls === true ? {} : tls
}
