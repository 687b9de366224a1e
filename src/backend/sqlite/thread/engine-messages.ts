import { isStorageError, messageOf, StorageError, type Effect } from '../../../core/errors.ts'
import type { StorageErrorCode } from '../../../core/errors.ts'
import type { SqliteLibrary } from '../connection/driver.ts'
import type { ResolvedSqliteOptions } from '../connection/options.ts'
import { resultCode } from '../connection/sqlite-error.ts'
import type { EngineMethod } from '../engine.ts'
import type { ExitGate } from './exit-gate.ts'

/** What the thread is started with. */
export interface EngineStart {
  readonly options: ResolvedSqliteOptions
  /** Given to the database if it is new. */
  readonly identity: string
  /** That of the starting thread: a second one must not open the file (`driver.ts`). */
  readonly library: SqliteLibrary
  readonly gate: ExitGate
}

export type EngineRequest =
  | { readonly id: number; readonly method: EngineMethod; readonly args: readonly unknown[] }
  /** Opens the file; answered with its settings. */
  | { readonly id: number; readonly method: 'open' }
  /** Closes the file; the thread ends after its answer. */
  | { readonly id: number; readonly method: 'close' }

export type EngineReply =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly failure: Failure }

/** An error as it crosses the threads: of an `Error` only the message would arrive. */
export interface Failure {
  readonly message: string
  readonly code?: StorageErrorCode
  readonly effect?: Effect
  /** Primary result code of SQLite. */
  readonly result?: number
  readonly causeMessage?: string
}

export function failureOf(error: unknown): Failure {
  const cause = isStorageError(error) ? error.cause : error
  const result = resultCode(cause)
  return {
    message: messageOf(error),
    ...(isStorageError(error) && { code: error.code, effect: error.effect }),
    ...(result !== undefined && { result }),
    ...(cause !== undefined && { causeMessage: messageOf(cause) }),
  }
}

export function errorOf({ message, code, effect, result, causeMessage }: Failure): Error {
  const inner = new Error(causeMessage ?? message)
  const cause = result === undefined ? inner : Object.assign(inner, { errcode: result })
  if (code === undefined) return cause
  return new StorageError(code, message, { effect: effect ?? 'none', cause })
}
