import {
  isStorageError,
  messageOf,
  StorageConnectionError,
  StorageError,
  type Effect,
  type StorageErrorCode,
} from '../../../core/errors.ts'
import { isUnusablePath } from '../../permanent-cause.ts'

/** Primary result codes, https://www.sqlite.org/rescode.html. */
const BUSY = 5
const LOCKED = 6
const READONLY = 8
const NOTADB = 26
const CODES: ReadonlyMap<number, StorageErrorCode> = new Map([
  [11, 'CORRUPT'],
  [NOTADB, 'CORRUPT'],
  // Too big, a constraint, a type, an index of a parameter: the data's fault.
  [18, 'REJECTED'],
  [19, 'REJECTED'],
  [20, 'REJECTED'],
  [25, 'REJECTED'],
])
const NAMES: ReadonlyMap<string, number> = new Map([
  ['SQLITE_BUSY', BUSY],
  ['SQLITE_LOCKED', LOCKED],
  ['SQLITE_CORRUPT', 11],
  ['SQLITE_READONLY', READONLY],
  ['SQLITE_NOTADB', NOTADB],
  ['SQLITE_TOOBIG', 18],
  ['SQLITE_CONSTRAINT', 19],
  ['SQLITE_MISMATCH', 20],
  ['SQLITE_RANGE', 25],
])

/** True when another connection holds the lock: nothing was done, and a later try may succeed. */
export function isBusy(error: unknown): boolean {
  const code = resultCode(isStorageError(error) ? error.cause : error)
  return code === BUSY || code === LOCKED
}

/**
 * True when the file will not be opened for as long as nobody changes what is there: it is no database,
 * cannot be written, or its path leads elsewhere.
 */
export function isRefusedForGood(error: unknown): boolean {
  const code = resultCode(isStorageError(error) ? error.cause : error)
  return code === NOTADB || code === READONLY || isUnusablePath(error)
}

/** A file that could not be opened. */
export function openError(path: string, error: unknown): StorageError {
  const known = sqliteError(error, 'none')
  const permanent = isRefusedForGood(error)
  if (known.code !== 'UNAVAILABLE' && !permanent) return known
  const reason = messageOf(error).replace(/^SQLite failed: /, '')
  const text = `cannot open the SQLite file ${path}: ${reason}`
  return new StorageConnectionError('sqlite', text, { cause: error, permanent })
}

/** Any failure of the library as a `StorageError`. */
export function sqliteError(error: unknown, effect: Effect): StorageError {
  if (isStorageError(error)) return error
  const result = resultCode(error)
  const code = (result === undefined ? undefined : CODES.get(result)) ?? 'UNAVAILABLE'
  return new StorageError(code, `SQLite failed: ${messageOf(error)}`, { effect, cause: error })
}

/** The primary result code. The libraries agree on neither the name nor the form of it. */
export function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error)) return undefined
  const { errcode, code } = error as { errcode?: unknown; code?: unknown }
  if (typeof errcode === 'number') return errcode & 0xff
  if (typeof code !== 'string') return undefined
  // better-sqlite3: SQLITE_CONSTRAINT_UNIQUE and the like.
  return NAMES.get(code.split('_', 2).join('_'))
}
