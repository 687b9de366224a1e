/**
 * Runs one task at a time for each name. Only for writes with ids of the caller's: two of them at
 * once in one process, with no database to decide, would be two messages.
 */
export class UniqueLock {
  readonly #tails = new Map<string, Promise<void>>()

  /** Takes the names in order, so that two callers never wait for each other. */
  async run<T>(names: readonly string[], task: () => Promise<T>): Promise<T> {
    const sorted = [...new Set(names)].sort()
    const [first, ...rest] = sorted
    if (first === undefined) return await task()
    return await this.#one(first, () => (rest.length === 0 ? task() : this.run(rest, task)))
  }

  async #one<T>(name: string, task: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(name)
    let release = (): void => {}
    const mine = new Promise<void>((resolve) => (release = resolve))
    this.#tails.set(name, mine)
    try {
      await before
      return await task()
    } finally {
      release()
      if (this.#tails.get(name) === mine) this.#tails.delete(name)
    }
  }
}
