import type { Env } from './env.ts'
import { StorageError, type StorageErrorOptions } from './errors.ts'

export const DAY_MS = 86_400_000
/** Longest time of a timer. Milliseconds. */
export const TIMER_MS_MAX: number = 2 ** 31 - 1

/** Resolves after at least `delayMs`, or at once when the signal aborts. It never rejects. */
export async function sleep(env: Env, delayMs: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted === true) return
  await new Promise<void>((resolve) => {
    const timer = env.setTimer(delayMs, done)
    signal?.addEventListener('abort', done, { once: true })
    function done(): void {
      timer.cancel()
      signal?.removeEventListener('abort', done)
      resolve()
    }
  })
}

/**
 * The promise, or `TIMEOUT` with effect `unknown` after `timeoutMs`. The timer is always cleared.
 * The work behind the promise goes on: its late outcome is the caller's to handle.
 */
export function withDeadline<T>(
  env: Env,
  timeoutMs: number,
  what: string,
  promise: Promise<T>,
  options: StorageErrorOptions = {},
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const timer = env.setTimer(timeoutMs, () => {
      reject(
        new StorageError('TIMEOUT', `${what} gave no answer within ${timeoutMs} ms`, {
          effect: 'unknown',
          ...options,
        }),
      )
    })
    promise.then(
      (value) => {
        timer.cancel()
        resolve(value)
      },
      (error: unknown) => {
        timer.cancel()
        reject(error as Error)
      },
    )
  })
}

export interface BackoffOptions {
  readonly firstMs: number
  readonly maxMs: number
}

/** Delay before the n-th retry (0-based): doubles up to `maxMs`, then a random half is taken off. */
export function backoffMs(env: Env, attempt: number, { firstMs, maxMs }: BackoffOptions): number {
  const full = Math.min(maxMs, firstMs * 2 ** Math.min(attempt, 30))
  return full / 2 + (full / 2) * env.random()
}
