import type { PlaceName } from './places.ts'

/**
 * Every way a storage call can fail. The list is closed: adding a code is an API change.
 * `docs/errors.md` has one row for each.
 */
export type StorageErrorCode =
  | 'CLOSED'
  | 'CONFLICT'
  | 'CONNECTION'
  | 'CORRUPT'
  | 'INVALID_ARGUMENT'
  | 'NOT_FOUND'
  | 'OVERLOADED'
  | 'REJECTED'
  | 'TIMEOUT'
  | 'UNAVAILABLE'
  | 'UNSUPPORTED'

/**
 * What is known about the effect of the failed call.
 *
 * - `none`: it had no effect and never will.
 * - `unknown`: it may have taken effect, or may still do so. Repeating it with the same message id
 *   is safe.
 */
export type Effect = 'none' | 'unknown'

/** What a `StorageError` knows besides its code and message. */
export interface StorageErrorOptions {
  readonly effect?: Effect
  readonly place?: PlaceName
  readonly operation?: string
  readonly cause?: unknown
}

/** The one error class of the library. Compare with {@link isStorageError}, not `instanceof`. */
export class StorageError extends Error {
  readonly code: StorageErrorCode
  readonly effect: Effect
  readonly place: PlaceName | undefined
  readonly operation: string | undefined

  constructor(code: StorageErrorCode, message: string, options: StorageErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'StorageError'
    this.code = code
    this.effect = options.effect ?? 'none'
    this.place = options.place
    this.operation = options.operation
  }
}

/** What a `StorageConnectionError` knows besides. */
export interface StorageConnectionErrorOptions extends StorageErrorOptions {
  /** Default: false. */
  readonly permanent?: boolean
}

/** A backend that could not be connected. `backend` names the engine, never its password. */
export class StorageConnectionError extends StorageError {
  readonly backend: string
  /**
   * True when waiting mends nothing: the settings, or what was set up for them, must be changed first.
   * A wrong password, a database or a right that is missing, TLS that does not fit.
   */
  readonly permanent: boolean

  constructor(backend: string, message: string, options: StorageConnectionErrorOptions = {}) {
    super('CONNECTION', message, options)
    this.backend = backend
    this.permanent = options.permanent ?? false
  }
}

/** Checks by shape, so that two copies of the package agree. */
export function isStorageError(error: unknown, code?: StorageErrorCode): error is StorageError {
  if (!(error instanceof Error) || error.name !== 'StorageError') return false
  return code === undefined || (error as StorageError).code === code
}

/** True where no place that was asked could answer, as in an outage. */
export function isOutage(error: unknown): boolean {
  return isStorageError(error, 'UNAVAILABLE') || isStorageError(error, 'TIMEOUT')
}

/** Of the errors of two tries of one write, the one to tell: the first if it may stand, and the second does not. */
export function errorOfBoth(first: unknown, second: unknown): unknown {
  return mayStand(first) && !mayStand(second) ? first : second
}

/** True unless it is certain that what failed has no effect. */
function mayStand(error: unknown): boolean {
  return !isStorageError(error) || error.effect !== 'none'
}

/** True for what no waiting mends: a mistake in the settings, or a place that cannot do what is needed. */
export function isPermanent(error: unknown): error is StorageError {
  if (!isStorageError(error)) return false
  if (error.code === 'UNSUPPORTED' || error.code === 'INVALID_ARGUMENT') return true
  return (
    error.code === 'CONNECTION' && (error as Partial<StorageConnectionError>).permanent === true
  )
}

/** A caller's mistake: raised before any effect. The message names the field, limit and value. */
export function invalid(message: string): StorageError {
  return new StorageError('INVALID_ARGUMENT', message)
}

/** True when the failure says nothing about the place's health: the caller's or the data's fault. */
export function isCallersFault(error: unknown): boolean {
  if (!isStorageError(error)) return false
  return (
    error.code === 'INVALID_ARGUMENT' ||
    error.code === 'CONFLICT' ||
    error.code === 'NOT_FOUND' ||
    error.code === 'REJECTED'
  )
}

/** Causes that are looked at: an error that is its own cause must not hold anybody up. */
const CAUSES_MAX = 8

/** True when Node refused an argument of a driver's, at whatever depth: no place was asked. */
export function isBadArgument(error: unknown): boolean {
  let cause = error
  for (let i = 0; i < CAUSES_MAX && cause instanceof Error; i++, cause = cause.cause) {
    const { code } = cause as { readonly code?: unknown }
    if (code === 'ERR_INVALID_ARG_TYPE' || code === 'ERR_INVALID_ARG_VALUE') return true
  }
  return false
}

/**
 * True when a bound of ours was reached, a queue or tries at a busy key: the place goes on to serve
 * others. A server that is full says so itself: that is the cause then.
 */
export function isOwnBound(error: unknown): boolean {
  let cause = error
  for (let i = 0; i < CAUSES_MAX && isStorageError(cause, 'OVERLOADED'); i++) cause = cause.cause
  return isStorageError(error, 'OVERLOADED') && cause === undefined
}

/** The effect of any thrown value; what is not ours may have done anything. */
export function effectOf(error: unknown): Effect {
  return isStorageError(error) ? error.effect : 'unknown'
}

/** A short text for logs and messages: the message of an error, never its stack. */
export function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') {
    return error.errors.map(messageOf).join('; ')
  }
  return error instanceof Error ? error.message : String(error)
}

/** For the default branch of a switch that must be complete; unreachable if the types are right. */
export function unreachable(value: never): never {
  throw new Error(`Unexpected value: ${JSON.stringify(value)}`)
}
