/*
 * What a failure of the driver means. The class of the SQLSTATE (its first two characters) decides;
 * errors without one come from the socket.
 */
import {
  isStorageError,
  messageOf,
  StorageError,
  type Effect,
  type StorageErrorCode,
} from '../../../core/errors.ts'
import { hasCause, isTlsMismatch } from '../../permanent-cause.ts'

/** The fields of the server's error messages that are read. */
interface ServerError extends Error {
  readonly code: string
  readonly severity: string
}

export interface FailureContext {
  /** What was being done, for the message. */
  readonly operation: string
  /** True once a statement was sent whose success commits. */
  readonly committing: boolean
  /** True when something had been committed before the failure. */
  readonly committed: boolean
}

/** Turns whatever the driver threw into a `StorageError`. */
export function postgresError(error: unknown, context: FailureContext): StorageError {
  if (isStorageError(error)) return error
  const { operation, committing, committed } = context
  const text = `PostgreSQL: ${messageOf(error)}`
  if (!isServerError(error)) {
    const effect: Effect = committing || committed ? 'unknown' : 'none'
    return new StorageError('UNAVAILABLE', text, { effect, operation, cause: error })
  }
  // An ERROR says that the statement was undone. A FATAL may arrive after the commit, in place of
  // its confirmation, when the server is shut down at that moment.
  const effect: Effect = committed || (committing && isFatal(error)) ? 'unknown' : 'none'
  return new StorageError(codeOf(error.code), text, { effect, operation, cause: error })
}

/** True when running the same transaction again is the right answer. */
export function isSerializationFailure(error: unknown): boolean {
  return isServerError(error) && (error.code === '40001' || error.code === '40P01')
}

/** True when our tables are not there: the database was made anew behind our back. */
export function isMissingTable(error: unknown): boolean {
  return isServerError(error) && (error.code === '42P01' || error.code === '3F000')
}

/** True when this role may not do what was asked for (insufficient_privilege). */
export function isMissingRight(error: unknown): boolean {
  return isServerError(error) && error.code === '42501'
}

/** The driver's own words for a password that the server wants and the settings do not have. */
const NO_PASSWORD = /client password must be a (?:non-empty )?string/
const NO_TLS = /server does not support SSL/

/** Invalid password, invalid authorization (also: no entry in pg_hba.conf), no such database. */
const REFUSED_LOGIN: ReadonlySet<string> = new Set(['28P01', '28000', '3D000'])

/** True when the server will refuse this connection for as long as neither side is set up anew. */
export function isRefusedForGood(error: unknown): boolean {
  if (isTlsMismatch(error)) return true
  return hasCause(
    error,
    ({ code, message }) =>
      REFUSED_LOGIN.has(code) || NO_PASSWORD.test(message) || NO_TLS.test(message),
  )
}

/** Why a connection was not made, without the name of the engine, which whoever tells it has told. */
export function connectReason(error: unknown): string {
  if (hasCause(error, ({ message }) => NO_PASSWORD.test(message))) {
    return 'the server wants a password, and none is given'
  }
  return messageOf(error).replace(/^PostgreSQL: /, '')
}

/**
 * True when a connection may have been refused because of its startup parameters: as a violation of the
 * protocol (PgBouncer), an unsupported feature, an invalid value, or a name that is not known.
 */
export function isRefusedStartup(error: unknown): boolean {
  return isServerError(error) && ['08', '0A', '22', '42'].includes(error.code.slice(0, 2))
}

/** True when the connection can be used again: the server undid the statement and goes on. */
export function isStatementError(error: unknown): boolean {
  return isServerError(error) && !isFatal(error) && !STALE_STATEMENT.has(error.code)
}

/** A prepared statement that the connection has lost, or whose tables were changed. */
const STALE_STATEMENT: ReadonlySet<string> = new Set(['0A000', '26000'])

/** True when the server ended the session. By code, because the severity's name is translated. */
function isFatal({ code, severity }: ServerError): boolean {
  return (
    severity === 'FATAL' ||
    severity === 'PANIC' ||
    code.startsWith('57P') ||
    code.startsWith('08') ||
    code.startsWith('XX') ||
    code === '25P03' ||
    code === '25P04'
  )
}

function codeOf(sqlState: string): StorageErrorCode {
  // query_canceled: statement_timeout, or somebody cancelled it.
  if (sqlState === '57014') return 'TIMEOUT'
  switch (sqlState.slice(0, 2)) {
    // Data exception, integrity constraint, program limit: this data can never be stored.
    case '22':
    case '23':
    case '54':
      return 'REJECTED'
    // Data corrupted, index corrupted.
    case 'XX':
      return sqlState === 'XX000' ? 'UNAVAILABLE' : 'CORRUPT'
    default:
      return 'UNAVAILABLE'
  }
}

function isServerError(error: unknown): error is ServerError {
  if (!(error instanceof Error)) return false
  const { code, severity } = error as Partial<ServerError>
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && typeof severity === 'string'
}
