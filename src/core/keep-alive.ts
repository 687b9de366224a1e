import type { Env, Timer } from './env.ts'
import { sleep } from './time.ts'

/** One for each environment: whoever waits within somebody's wait is only counted. */
const byEnv = new WeakMap<Env, KeepAlive>()

/**
 * Keeps the process alive while somebody waits for work. Timers do not: a database that is called in
 * this thread has no socket, and the process would end in the middle of an `await`.
 */
export class KeepAlive {
  readonly #env: Env
  #count = 0
  #handle: Timer | undefined

  private constructor(env: Env) {
    this.#env = env
  }

  static of(env: Env): KeepAlive {
    let alive = byEnv.get(env)
    if (alive === undefined) byEnv.set(env, (alive = new KeepAlive(env)))
    return alive
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

/** A pause of a call that somebody waits for, when nothing else may keep the process alive. */
export async function awakeSleep(env: Env, delayMs: number, signal?: AbortSignal): Promise<void> {
  await KeepAlive.of(env).during(() => sleep(env, delayMs, signal))
}
