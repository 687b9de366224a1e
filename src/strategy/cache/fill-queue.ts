/**
 * Shares reads of one key between callers that miss at once: one fill runs, one more waits. A caller
 * never joins a fill that began before it asked, since that one may be older than a write that the
 * caller knows of; it joins the one that has yet to begin.
 */
export class FillQueue<T> {
  readonly #keys = new Map<string, { running: Promise<T>; next: Promise<T> | undefined }>()

  async run(key: string, fill: () => Promise<T>): Promise<T> {
    const entry = this.#keys.get(key)
    if (entry === undefined) return await this.#start(key, fill)
    entry.next ??= entry.running.then(
      () => this.#start(key, fill),
      () => this.#start(key, fill),
    )
    return await entry.next
  }

  async #start(key: string, fill: () => Promise<T>): Promise<T> {
    const running = fill()
    const entry = { running, next: undefined }
    this.#keys.set(key, entry)
    try {
      return await running
    } finally {
      // Somebody who waits starts the next one, and replaces this entry.
      if (this.#keys.get(key) === entry && entry.next === undefined) this.#keys.delete(key)
    }
  }
}
