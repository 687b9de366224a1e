import type { Env, Timer } from './env.ts'
import { StorageError, type StorageErrorOptions } from './errors.ts'

/**
 * The end of a call: its time is up, or its caller gave up. Whatever waits for the call shares it, and its
 * timer, which runs while anybody listens. (An `AbortController` of each call's own costs as much as thirty
 * timers.)
 */
export class Deadline {
  /** All of its time. `Infinity`: only its caller ends the call. */
  readonly timeoutMs: number
  readonly #env: Env
  readonly #endsAt: number
  readonly #signal: AbortSignal | undefined
  readonly #listeners = new Set<() => void>()
  #timer: Timer | undefined

  constructor(env: Env, timeoutMs: number, signal?: AbortSignal) {
    this.#env = env
    this.timeoutMs = timeoutMs
    this.#endsAt = env.monotonic() + timeoutMs
    this.#signal = signal
  }

  /** What is left of its time, whole. */
  get leftMs(): number {
    return Math.max(0, Math.ceil(this.#endsAt - this.#env.monotonic()))
  }

  get isAborted(): boolean {
    return this.#signal?.aborted === true
  }

  /** Calls the listener once, when it ends; at once after an abort. Returns what takes it back. */
  onEnd(listener: () => void): () => void {
    if (this.isAborted) {
      listener()
      return () => {}
    }
    if (this.#listeners.size === 0) this.#arm()
    this.#listeners.add(listener)
    return () => {
      if (this.#listeners.delete(listener) && this.#listeners.size === 0) this.#disarm()
    }
  }

  /**
   * The outcome of the promise; from the deadline on, that of `onEnd`. What the promise stands for goes on: its
   * late outcome is the caller's to handle.
   */
  wait<T>(promise: Promise<T>, onEnd: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const leave = this.onEnd(() => resolve(onEnd()))
      promise.then(
        (value) => {
          leave()
          resolve(value)
        },
        (error: unknown) => {
          leave()
          reject(error as Error)
        },
      )
    })
  }

  /** Runs what only a signal ends, with one that aborts at the deadline. */
  async during<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const stop = new AbortController()
    const leave = this.onEnd(() => {
      stop.abort(this.#signal?.reason ?? new Error(`no answer within ${this.timeoutMs} ms`))
    })
    try {
      return await work(stop.signal)
    } finally {
      leave()
    }
  }

  /** `TIMEOUT`, in the name of who gave no answer. Its effect is `unknown` unless told. */
  error(name: string, options: StorageErrorOptions = {}): StorageError {
    const known = { effect: 'unknown', ...options } as const
    if (!this.isAborted) {
      const text = `${name} gave no answer within ${this.timeoutMs} ms`
      return new StorageError('TIMEOUT', text, known)
    }
    const cause: unknown = this.#signal?.reason
    return new StorageError('TIMEOUT', 'the call was aborted', { ...known, cause })
  }

  #arm(): void {
    if (this.timeoutMs !== Infinity) {
      this.#timer = this.#env.setTimer(this.leftMs, this.#end)
    }
    this.#signal?.addEventListener('abort', this.#end)
  }

  #disarm(): void {
    this.#timer?.cancel()
    this.#signal?.removeEventListener('abort', this.#end)
  }

  readonly #end = (): void => {
    this.#disarm()
    const listeners = [...this.#listeners]
    this.#listeners.clear()
    for (const listener of listeners) listener()
  }
}

/** The deadline that a call was given, or one of its own. */
export function deadlineOf(
  env: Env,
  { deadline, timeoutMs, signal }: CallLimits,
  defaultMs: number,
): Deadline {
  return deadline ?? new Deadline(env, timeoutMs ?? defaultMs, signal)
}

/** What ends a call before it is answered. */
interface CallLimits {
  readonly deadline?: Deadline
  readonly signal?: AbortSignal
  readonly timeoutMs?: number
}
