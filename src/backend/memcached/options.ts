import { invalid } from '../../core/errors.ts'
import { checkInteger } from '../../core/limits.ts'
import { refuseUnknown, type FieldsOf } from '../../core/options.ts'
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
const KEY_PREFIX_MAX = 100

const FIELDS: FieldsOf<MemcachedOptions & { readonly type: string }> = {
  type: true,
  url: true,
  servers: true,
  username: true,
  password: true,
  timeoutMs: true,
  keyPrefix: true,
  maxValueBytes: true,
}

/** Fills the defaults in and refuses what cannot work. */
export function resolveMemcachedOptions(options: MemcachedOptions): ResolvedMemcachedOptions {
  refuseUnknown('', options, FIELDS)
  const fromUrl = options.url === undefined ? {} : parseUrl(options.url)
  const {
    servers = fromUrl.servers ?? [`127.0.0.1:${PORT}`],
    username = fromUrl.username,
    password = fromUrl.password,
    timeoutMs = 500,
    keyPrefix = 'everthread:',
    maxValueBytes = 1_000_000,
  } = options
  if (servers.length === 0) throw invalid('servers must not be empty')
  for (const server of servers) checkServer(server)
  checkInteger('timeoutMs', timeoutMs, 1, 60_000)
  checkInteger('maxValueBytes', maxValueBytes, 1, 1024 * 1024 * 1024)
  if (keyPrefix.length > KEY_PREFIX_MAX || !/^[!-~]*$/.test(keyPrefix)) {
    throw invalid(`keyPrefix must be at most ${KEY_PREFIX_MAX} printable ASCII characters`)
  }
  return { servers, username, password, timeoutMs, keyPrefix, maxValueBytes }
}

/** Never quotes the URL in an error: it may hold the password. */
function parseUrl(text: string): Pick<MemcachedOptions, 'servers' | 'username' | 'password'> {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol !== 'memcached:') throw invalid('url must be a valid memcached:// URL')
  const more = url.searchParams.get('nodes')
  const first = `${url.hostname === '' ? '127.0.0.1' : url.hostname}:${url.port || PORT}`
  return {
    servers: [first, ...(more === null || more === '' ? [] : more.split(','))],
    ...(url.username !== '' && { username: decodeUrlPart(url.username, 'user') }),
    ...(url.password !== '' && { password: decodeUrlPart(url.password, 'password') }),
  }
}

function checkServer(server: string): void {
  const match = /^[^:@,\s]+:(\d{1,5})$/.exec(server)
  if (match !== null && Number(match[1]) > 0 && Number(match[1]) <= 65_535) return
  throw invalid('servers must be host:port each')
}
