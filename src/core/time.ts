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

export interface DeadlineOptions extends StorageErrorOptions {
  /** Its caller gave up. */
  readonly signal?: AbortSignal | undefined
}

/**
 * The promise, or `TIMEOUT` after `timeoutMs` and as soon as the signal aborts: its effect is `unknown` unless
 * told. The timer is always cleared. The work behind the promise goes on: its late outcome is the caller's to
 * handle.
 */
export function withDeadline<T>(
  env: Env,
  timeoutMs: number,
  what: string,
  promise: Promise<T>,
  { signal, ...options }: DeadlineOptions = {},
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const stop = (text: string, cause?: unknown): void => {
      end()
      const known = { effect: 'unknown', ...options } as const
      reject(new StorageError('TIMEOUT', text, cause === undefined ? known : { ...known, cause }))
    }
    const onAbort = (): void => stop('the call was aborted', signal?.reason)
    const late = `${what} gave no answer within ${timeoutMs} ms`
    const timer = env.setTimer(timeoutMs, () => stop(late))
    const end = (): void => {
      timer.cancel()
      signal?.removeEventListener('abort', onAbort)
    }
    signal?.addEventListener('abort', onAbort, { once: true })
    promise.then(
      (value) => {
        end()
        resolve(value)
      },
      (error: unknown) => {
        end()
        reject(error as Error)
      },
    )
    if (signal?.aborted === true) onAbort()
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
