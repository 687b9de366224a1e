import { Deadline } from './deadline.ts'
import type { Env } from './env.ts'
import type { StorageErrorOptions } from './errors.ts'

export const DAY_MS = 86_400_000
/** Longest time of a timer. Milliseconds. */
export const TIMER_MS_MAX: number = 2 ** 31 - 1

/** Resolves after at least `delayMs`, or at once when the signal aborts. It never rejects. */
export async function sleep(env: Env, delayMs: number, signal?: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => new Deadline(env, delayMs, signal).onEnd(resolve))
}

export interface DeadlineOptions extends StorageErrorOptions {
  /** Its caller gave up. */
  readonly signal?: AbortSignal | undefined
}

/** The promise with a deadline of its own, and `Deadline.error` from then on. */
export function withDeadline<T>(
  env: Env,
  timeoutMs: number,
  what: string,
  promise: Promise<T>,
  { signal, ...options }: DeadlineOptions = {},
): Promise<T> {
  const deadline = new Deadline(env, timeoutMs, signal)
  return deadline.wait(promise, () => Promise.reject(deadline.error(what, options)))
}

/** The promise, or the signal's reason as soon as that aborts. What the promise stands for goes on. */
export function unlessAborted<T>(env: Env, signal: AbortSignal, promise: Promise<T>): Promise<T> {
  const onAbort = (): Promise<T> => Promise.reject(signal.reason as Error)
  return new Deadline(env, Infinity, signal).wait(promise, onAbort)
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
