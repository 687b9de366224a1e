/*
 * What a failure of the driver means. An error of the server begins with its code, which says
 * whether the command ran; any other comes from the connection, and says nothing about that.
 */
import {
  isStorageError,
  messageOf,
  StorageError,
  type StorageErrorCode,
} from '../../../core/errors.ts'

/** Codes of answers to commands that did not run. */
const NOT_RUN: ReadonlyMap<string, StorageErrorCode> = new Map([
  ['OOM', 'OVERLOADED'],
  ['READONLY', 'UNAVAILABLE'],
  ['LOADING', 'UNAVAILABLE'],
  ['BUSY', 'UNAVAILABLE'],
  ['MISCONF', 'UNAVAILABLE'],
  ['MASTERDOWN', 'UNAVAILABLE'],
  ['NOREPLICAS', 'UNAVAILABLE'],
  ['CLUSTERDOWN', 'UNAVAILABLE'],
  ['TRYAGAIN', 'UNAVAILABLE'],
  ['MOVED', 'UNAVAILABLE'],
  ['ASK', 'UNAVAILABLE'],
  ['CROSSSLOT', 'UNAVAILABLE'],
  ['NOAUTH', 'UNAVAILABLE'],
  ['NOPERM', 'UNAVAILABLE'],
  ['WRONGPASS', 'UNAVAILABLE'],
  ['NOSCRIPT', 'UNAVAILABLE'],
  ['IDENTITY', 'UNAVAILABLE'],
  ['LOCKED', 'UNAVAILABLE'],
])

/** The code that the server's answer begins with, or undefined when it is not an answer. */
export function replyCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || isStorageError(error)) return undefined
  // Before version 7 the error of a command within a script was quoted in another one.
  const inner = /^ERR Error running script.*?: -([A-Z]{2,}) /.exec(error.message)?.[1]
  return inner ?? /^([A-Z]{2,})(?: |$)/.exec(error.message)?.[1]
}

/** The rest of such an answer. */
export function replyRest(error: unknown): string {
  return messageOf(error).replace(/^\S+ ?/, '')
}

/** Something of the database has been lost; `name` is the server's key that lacks it. */
export function damagedPart(name: string): StorageError {
  const text = `Redis: ${name} has lost something; repair brings it back from the other database`
  return new StorageError('CORRUPT', text)
}

/** Turns whatever the driver threw into a `StorageError`; `writes`: the command may have changed something. */
export function redisError(error: unknown, operation: string, writes: boolean): StorageError {
  if (isStorageError(error)) return error
  const code = replyCode(error)
  if (code === 'DAMAGED') return damagedPart(replyRest(error))
  const known = code === undefined ? undefined : NOT_RUN.get(code)
  const text = `Redis: ${messageOf(error) || 'the connection was lost'}`
  const effect = known === undefined && writes && !isUnsent(error) ? 'unknown' : 'none'
  return new StorageError(known ?? 'UNAVAILABLE', text, { effect, operation, cause: error })
}

/** node-redis refuses a command at once while there is no connection. */
function isUnsent(error: unknown): boolean {
  const name = (error as { constructor?: { name?: string } } | null)?.constructor?.name
  return name === 'ClientOfflineError' || name === 'ClientClosedError'
}
