import type { Env } from './env.ts'
import { withDeadline } from './time.ts'

/** How long a task waits for those before it. */
export interface LockPatience {
  readonly env: Env
  readonly waitMs: number
  /** What is waited for, in the error: `another save of the same id`. */
  readonly what: string
}

/** Runs one task at a time for each name. */
export class NameLock {
  readonly #patience: LockPatience | undefined
  readonly #tails = new Map<string, Promise<void>>()

  /** Without patience given a task waits for as long as it takes. */
  constructor(patience?: LockPatience) {
    this.#patience = patience
  }

  /**
   * Takes the names in order, so that two callers never wait for each other.
   *
   * @throws StorageError `TIMEOUT` with effect `none` when it has not come to its turn in time.
   */
  async run<T>(names: readonly string[], task: () => Promise<T>): Promise<T> {
    const sorted = [...new Set(names)].sort()
    const { env, waitMs = 0 } = this.#patience ?? {}
    return await this.#take(sorted, env === undefined ? Infinity : env.monotonic() + waitMs, task)
  }

  async #take<T>(names: readonly string[], until: number, task: () => Promise<T>): Promise<T> {
    const [name, ...rest] = names
    if (name === undefined) return await task()
    const before = this.#tails.get(name)
    let end = (): void => {}
    const mine = new Promise<void>((resolve) => (end = resolve))
    const release = (): void => {
      end()
      if (this.#tails.get(name) === mine) this.#tails.delete(name)
    }
    this.#tails.set(name, mine)
    try {
      if (before !== undefined) await this.#wait(before, until)
    } catch (error) {
      // Whoever comes next waits for those before it all the same.
      void before!.then(release)
      throw error
    }
    try {
      return await this.#take(rest, until, task)
    } finally {
      release()
    }
  }

  async #wait(before: Promise<void>, until: number): Promise<void> {
    if (this.#patience === undefined) return await before
    const { env, what } = this.#patience
    const leftMs = Math.max(0, until - env.monotonic())
    await withDeadline(env, leftMs, what, before, { effect: 'none', operation: 'write' })
  }
}
