/*
 * What a failure of the driver means. An error of the server begins with its code, which says
 * whether the command ran; any other comes from the connection, and says nothing about that.
 */
import {
  isStorageError,
  messageOf,
  StorageConnectionError,
  StorageError,
  type StorageErrorCode,
} from '../../../core/errors.ts'
import { hasCause, isTlsMismatch } from '../../permanent-cause.ts'

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

/** What a server answers to settings that it will never take: a password, a user, a number, a mode. */
const REFUSED_SETTINGS =
  /^(?:NOAUTH|WRONGPASS|NOPERM) |^ERR (?:invalid password|.*AUTH.* password|.*DB index|.*cluster support disabled|SELECT is not allowed)/

/** True when the server will refuse this connection for as long as neither side is set up anew. */
export function isRefusedForGood(error: unknown): boolean {
  return isTlsMismatch(error) || hasCause(error, ({ message }) => REFUSED_SETTINGS.test(message))
}

/** The error of a connection that was not made, to the servers at `where`. */
export function connectError(engine: string, where: string, error: unknown): StorageError {
  const text = `cannot connect to Redis at ${where}: ${messageOf(error)}`
  return new StorageConnectionError(engine, text, {
    cause: error,
    permanent: isRefusedForGood(error),
  })
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
