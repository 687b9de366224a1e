import { invalid } from '../../core/errors.ts'
import { checkInteger } from '../../core/limits.ts'
import { parseDatabaseString } from '../connection-string.ts'

export interface SqliteOptions {
  /**
   * Path of the file; it and its directory are made when they are not there. `:memory:` keeps
   * nothing after the process. The file must be on a local disk: locks fail on network file systems.
   */
  readonly path?: string
  /** `sqlite:./data/chat.db`, instead of `path`. */
  readonly url?: string
  /** Longest wait for another process that writes to the same file. Milliseconds. Default: 5,000. */
  readonly busyTimeoutMs?: number
  /** Time that a write may take when its caller names none. Milliseconds. Default: 10,000. */
  readonly timeoutMs?: number
  /**
   * Writes, digests and scans run in threads of their own, so that no commit stops the event loop.
   * Never for `:memory:`, nor where the package was bundled into one file. Default: true.
   */
  readonly threads?: boolean
}

export interface ResolvedSqliteOptions {
  readonly path: string
  readonly busyTimeoutMs: number
  readonly timeoutMs: number
  readonly threads: boolean
}

/** Fills the defaults in and refuses what cannot work. */
export function resolveSqliteOptions(options: SqliteOptions): ResolvedSqliteOptions {
  const { path, url, busyTimeoutMs = 5_000, timeoutMs = 10_000, threads = true } = options
  if (typeof threads !== 'boolean') throw invalid('threads must be boolean')
  return {
    path: pathOf(path, url),
    busyTimeoutMs: checkInteger('busyTimeoutMs', busyTimeoutMs, 0, 600_000),
    timeoutMs: checkInteger('timeoutMs', timeoutMs, 1, 3_600_000),
    threads,
  }
}

function pathOf(path: string | undefined, url: string | undefined): string {
  if (path !== undefined) {
    if (url !== undefined) throw invalid('give either path or url of the SQLite file, not both')
    if (typeof path !== 'string' || path === '' || path.includes('\0')) {
      throw invalid(`path must be the path of a SQLite file, got ${JSON.stringify(path)}`)
    }
    return path
  }
  if (url === undefined) throw invalid('the SQLite database needs a path or a url')
  const config = parseDatabaseString(url, 'url')
  if (config.type !== 'sqlite') throw invalid(`url must be sqlite:PATH, got type ${config.type}`)
  return config.path
}
