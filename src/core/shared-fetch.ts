/**
 * A fetch that many want anew. Whoever asks while one is under way, which may have begun too early,
 * shares the next one with all who ask meanwhile: at most two are on their way.
 */
export class SharedFetch {
  readonly #fetch: () => Promise<void>
  #running: Promise<void> | undefined
  #next: Promise<void> | undefined

  constructor(fetch: () => Promise<void>) {
    this.#fetch = fetch
  }

  /** Resolves when a fetch that began after this call has ended; rejects as it does. */
  run(): Promise<void> {
    if (this.#running === undefined) return this.#start()
    this.#next ??= this.#afterwards(this.#running)
    return this.#next
  }

  #start(): Promise<void> {
    const running = this.#fetch().finally(() => {
      if (this.#running === running) this.#running = undefined
    })
    this.#running = running
    return running
  }

  async #afterwards(running: Promise<void>): Promise<void> {
    // Whoever asked for that one is told of its failure.
    await running.catch(() => {})
    this.#next = undefined
    await this.#start()
  }
}
