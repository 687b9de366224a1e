/** Within this process keys are written one at a time: what would only race for a name need not. */
export class KeyLocks {
  readonly #tails = new Map<string, Promise<void>>()

  /** Runs the task when nobody else has any of the keys. */
  async run<T>(keys: readonly string[], task: () => Promise<T>): Promise<T> {
    // In one order, so that no two wait for each other.
    const sorted = [...new Set(keys)].sort()
    const releases: (() => void)[] = []
    try {
      for (const key of sorted) releases.push(await this.#acquire(key))
      return await task()
    } finally {
      for (const release of releases) release()
    }
  }

  async #acquire(key: string): Promise<() => void> {
    const before = this.#tails.get(key)
    let release = (): void => {}
    const held = new Promise<void>((resolve) => (release = resolve))
    this.#tails.set(key, held)
    await before
    return () => {
      if (this.#tails.get(key) === held) this.#tails.delete(key)
      release()
    }
  }
}
