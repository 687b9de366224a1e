import type { Env } from '../core/env.ts'
import { withDeadline } from '../core/time.ts'

/** How long a call waits for those before it: as long as an attempt may take by default. Milliseconds. */
const WAIT_MS = 5_000

/**
 * Runs one task at a time for each name. Only for writes with ids of the caller's: two of them at
 * once in one process, with no database to decide, would be two messages.
 */
export class UniqueLock {
  readonly #env: Env
  readonly #tails = new Map<string, Promise<void>>()

  constructor(env: Env) {
    this.#env = env
  }

  /**
   * Takes the names in order, so that two callers never wait for each other.
   *
   * @throws StorageError `TIMEOUT` with effect `none` when it has not come to its turn within `WAIT_MS`.
   */
  async run<T>(names: readonly string[], task: () => Promise<T>): Promise<T> {
    const sorted = [...new Set(names)].sort()
    return await this.#take(sorted, this.#env.monotonic() + WAIT_MS, task)
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
    const leftMs = Math.max(0, until - this.#env.monotonic())
    const options = { effect: 'none', operation: 'write' } as const
    await withDeadline(this.#env, leftMs, 'another save of the same id', before, options)
  }
}
