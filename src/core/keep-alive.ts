import type { Env, Timer } from './env.ts'

/**
 * Keeps the process alive while somebody waits for work. Timers do not: a database that is called in
 * this thread has no socket, and the process would end in the middle of an `await`.
 */
export class KeepAlive {
  readonly #env: Env
  #count = 0
  #handle: Timer | undefined

  constructor(env: Env) {
    this.#env = env
  }

  async during<T>(work: () => Promise<T>): Promise<T> {
    this.begin()
    try {
      return await work()
    } finally {
      this.end()
    }
  }

  /** The first half of `during`, for callers that wait anyway. */
  begin(): void {
    if (this.#count++ === 0) this.#handle = this.#env.keepAlive?.()
  }

  /** Once for each `begin`. */
  end(): void {
    if (--this.#count === 0) this.#handle?.cancel()
  }
}
