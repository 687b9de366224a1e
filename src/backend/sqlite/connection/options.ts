import { join } from 'node:path'
import { invalid } from '../../../core/errors.ts'
import { boolean, byDefault, ms, oneOf, secret, text, value } from '../../../core/option-kinds.ts'
import { at, resolve, type OptionTable } from '../../../core/options.ts'
import { parseDatabaseString } from '../../connection-string.ts'

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
   * Never for `:memory:`. In a bundle that lacks the script of the threads the calling thread does it all, and
   * a warning says so. Default: true.
   */
  readonly threads?: boolean
  /**
   * Makes an index of texts for `search`, and indexes what is there already. Left out: an index that is there
   * is used and kept up, but none is made. Needs SQLite 3.43 with FTS5. Default: false.
   */
  readonly search?: boolean
}

export interface ResolvedSqliteOptions {
  readonly path: string
  readonly busyTimeoutMs: number
  readonly timeoutMs: number
  readonly threads: boolean
  readonly search: boolean
}

export const SQLITE_OPTIONS: OptionTable<
  SqliteOptions & { readonly type?: 'sqlite' },
  'busyTimeoutMs' | 'timeoutMs' | 'threads' | 'search'
> = {
  type: oneOf('sqlite'),
  path: text(),
  database: value('a name of a file, without folders', isFileName),
  url: secret(),
  busyTimeoutMs: byDefault(5_000, ms(0, 600_000)),
  timeoutMs: byDefault(10_000, ms(1, 3_600_000)),
  threads: byDefault(true, boolean()),
  search: byDefault(false, boolean()),
}

/** Fills the defaults in and refuses what cannot work. */
export function resolveSqliteOptions(options: SqliteOptions, path = ''): ResolvedSqliteOptions {
  const resolved = resolve(path, options, SQLITE_OPTIONS)
  const { busyTimeoutMs, timeoutMs, threads, search } = resolved
  return { path: fileOf(resolved, path), busyTimeoutMs, timeoutMs, threads, search }
}

function isFileName(given: unknown): boolean {
  return typeof given === 'string' && /^[^/\\]+$/.test(given) && !given.includes('\0')
}

/** The file that the options name. */
export function sqliteFile(options: SqliteOptions): string {
  return resolveSqliteOptions(options).path
}

function fileOf({ path: file, database, url }: SqliteOptions, path: string): string {
  if (file === undefined) {
    if (database === undefined && url !== undefined) return fileOfUrl(url, at(path, 'url'))
    const has = database === undefined ? 'the SQLite file, or a url' : 'the folder of database'
    throw invalid(`${at(path, 'path')} must be given: ${has}`)
  }
  if (url !== undefined) throw invalid(`${at(path, 'url')} must be left out beside path`)
  if (database === undefined) return file
  if (file !== ':memory:') return join(file, database)
  throw invalid(`${at(path, 'database')} must be left out: :memory: has no file`)
}

function fileOfUrl(url: string, path: string): string {
  const config = parseDatabaseString(url, path)
  if (config.type === 'sqlite') return config.path
  throw invalid(`${path} must be sqlite:PATH, got type ${config.type}`)
}
