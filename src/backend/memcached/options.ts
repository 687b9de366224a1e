import { invalid } from '../../core/errors.ts'
import { MIB } from '../../core/limits.ts'
import {
  byDefault,
  bytes,
  hidden,
  list,
  matching,
  ms,
  oneOf,
  secret,
  value,
} from '../../core/option-kinds.ts'
import { resolve, resolveQuery, withUrl, type OptionTable } from '../../core/options.ts'
import { decodeUrlPart } from '../decode-url-part.ts'

/** Options of a Memcached cache. */
export interface MemcachedOptions {
  /**
   * `memcached://user:password@host:port`; `?nodes=host:port,host:port` for more servers. Fields
   * given beside it win.
   */
  readonly url?: string
  /** `host:port` of each server; keys are spread over them. Default: 127.0.0.1:11211. */
  readonly servers?: readonly string[]
  readonly username?: string
  readonly password?: string
  /** Longest wait for an answer, and for a connection. Milliseconds. Default: 500. */
  readonly timeoutMs?: number
  /** What every key of the cache starts with. Default: `everthread:`. */
  readonly keyPrefix?: string
  /** Values of more bytes are not kept. The server's own limit is 1 MiB. Default: 1,000,000. */
  readonly maxValueBytes?: number
}

export interface ResolvedMemcachedOptions {
  readonly servers: readonly string[]
  readonly username: string | undefined
  readonly password: string | undefined
  readonly timeoutMs: number
  readonly keyPrefix: string
  readonly maxValueBytes: number
}

const PORT = 11_211

export const MEMCACHED_OPTIONS: OptionTable<
  MemcachedOptions & { readonly type?: 'memcached' },
  'servers' | 'timeoutMs' | 'keyPrefix' | 'maxValueBytes'
> = {
  type: oneOf('memcached'),
  url: secret(),
  servers: byDefault([`127.0.0.1:${PORT}`], list(hidden(value<string>('host:port', isServer)), 1)),
  username: secret(),
  password: secret(),
  timeoutMs: byDefault(500, ms(1, 60_000)),
  keyPrefix: byDefault(
    'everthread:',
    matching(/^[!-~]{0,100}$/, 'at most 100 printable ASCII characters'),
  ),
  maxValueBytes: byDefault(1_000_000, bytes(1, 1024 * MIB)),
}

const QUERY = {
  nodes: hidden(
    value<string>('host:port,host:port', (given) => String(given).split(',').every(isServer)),
  ),
}

/** Fills the defaults in and refuses what cannot work. */
export function resolveMemcachedOptions(
  options: MemcachedOptions,
  path = '',
): ResolvedMemcachedOptions {
  const resolved = resolve(path, withUrl(path, options, parseUrl), MEMCACHED_OPTIONS)
  const { servers, username, password, timeoutMs, keyPrefix, maxValueBytes } = resolved
  return { servers, username, password, timeoutMs, keyPrefix, maxValueBytes }
}

function parseUrl(text: string, path: string): MemcachedOptions {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol !== 'memcached:') throw invalid(`${path} must be a valid memcached:// URL`)
  const { nodes = '' } = resolveQuery(path, url.searchParams, QUERY)
  const first = `${url.hostname === '' ? '127.0.0.1' : url.hostname}:${url.port || PORT}`
  return {
    servers: [first, ...(nodes === '' ? [] : nodes.split(','))],
    ...(url.username !== '' && { username: decodeUrlPart(url.username, 'user') }),
    ...(url.password !== '' && { password: decodeUrlPart(url.password, 'password') }),
  }
}

function isServer(server: unknown): boolean {
  if (typeof server !== 'string') return false
  const [, port] = /^[^:@,\s]+:(\d{1,5})$/.exec(server) ?? []
  return Number(port) > 0 && Number(port) <= 65_535
}
