import type { Env } from '../core/env.ts'
import { isStorageError, messageOf, StorageError, type Effect } from '../core/errors.ts'
import { withDeadline } from '../core/time.ts'

/** Longest that a strategy of an application's own is waited for. Milliseconds. */
const SIMPLE_TIMEOUT_MS = 30_000

/** Calls a strategy of an application's own, which may throw anything and never answer. */
export async function callSimple<T>(
  env: Env,
  name: string,
  effect: Effect,
  call: () => Promise<T>,
): Promise<T> {
  const what = `strategy ${name}`
  try {
    const answer = (async () => await call())()
    return await withDeadline(env, SIMPLE_TIMEOUT_MS, what, answer, { effect })
  } catch (error) {
    if (isStorageError(error)) throw error
    throw new StorageError('UNAVAILABLE', `${what}: ${messageOf(error)}`, { effect, cause: error })
  }
}

/** What a strategy of single values cannot do. */
export function valuesOnly(name: string, what: string): StorageError {
  return new StorageError('UNSUPPORTED', `strategy ${name} ${what}: it only has execute()`)
}
