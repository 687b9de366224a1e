import { join } from 'node:path'
import { invalid } from '../../core/errors.ts'
import { checkInteger } from '../../core/limits.ts'
import { refuseUnknown, type FieldsOf } from '../../core/options.ts'
import { showValue } from '../../core/show-value.ts'
import { parseDatabaseString } from '../connection-string.ts'

export interface SqliteOptions {
  /**
   * Path of the file; it and its directory are made when they are not there. `:memory:` keeps
   * nothing after the process. The file must be on a local disk: locks fail on network file systems.
   */
  readonly path?: string
  /** Name of the file: `path` is its folder then. */
  readonly database?: string
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

const FIELDS: FieldsOf<SqliteOptions & { readonly type: string }> = {
  type: true,
  path: true,
  database: true,
  url: true,
  busyTimeoutMs: true,
  timeoutMs: true,
  threads: true,
}

/** Fills the defaults in and refuses what cannot work. */
export function resolveSqliteOptions(options: SqliteOptions): ResolvedSqliteOptions {
  refuseUnknown('', options, FIELDS)
  const { busyTimeoutMs = 5_000, timeoutMs = 10_000, threads = true } = options
  if (typeof threads !== 'boolean') throw invalid('threads must be boolean')
  return {
    path: sqliteFile(options),
    busyTimeoutMs: checkInteger('busyTimeoutMs', busyTimeoutMs, 0, 600_000),
    timeoutMs: checkInteger('timeoutMs', timeoutMs, 1, 3_600_000),
    threads,
  }
}

/** The file that the options name. */
export function sqliteFile({ path, database, url }: SqliteOptions): string {
  if (path !== undefined) {
    if (url !== undefined) throw invalid('give either path or url of the SQLite file, not both')
    checkName('path', path)
    return database === undefined ? path : join(path, fileName(path, database))
  }
  if (database !== undefined) throw invalid('path must be given: the folder of the SQLite file')
  if (url === undefined) throw invalid('the SQLite database needs a path or a url')
  const config = parseDatabaseString(url, 'url')
  if (config.type !== 'sqlite') throw invalid(`url must be sqlite:PATH, got type ${config.type}`)
  return config.path
}

function fileName(path: string, database: string): string {
  checkName('database', database)
  if (path === ':memory:') throw invalid('database must be left out: :memory: has no file')
  if (/[/\\]/.test(database)) {
    throw invalid(`database must be a name of a file, without folders, got ${showValue(database)}`)
  }
  return database
}

function checkName(field: string, name: unknown): void {
  if (typeof name === 'string' && name !== '' && !name.includes('\0')) return
  throw invalid(`${field} must be the name of a SQLite file, got ${showValue(name)}`)
}
