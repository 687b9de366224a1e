/** Entries of the first batch after an outage, and the fewest of any. */
const ENTRIES_MIN = 32
/** A batch that took less is followed by a larger one, one that took longer by a smaller. ms. */
const SHORT_MS = 20
const LONG_MS = 40

/**
 * How many entries a batch of the flush has. All that there may be, but not while a place that was
 * out is brought up to date: its caches are cold, and the saves that go to it again wait for the
 * locks and the processor that a large batch takes. There it follows the time that the last one took.
 */
export class BatchSize {
  readonly #most: number
  /** Entries while catching up. */
  #limit: number | undefined

  constructor(most: number) {
    this.#most = most
  }

  get entries(): number {
    return this.#limit ?? this.#most
  }

  /** The place is out. */
  out(): void {
    this.#limit = Math.min(ENTRIES_MIN, this.#most)
  }

  /** The place has taken a batch. One that was not full was the last that it lacked. */
  taken(entries: number, tookMs: number): void {
    if (this.#limit === undefined) return
    if (entries < this.#limit) this.#limit = undefined
    else if (tookMs < SHORT_MS) this.#limit = Math.min(this.#most, this.#limit * 2)
    else if (tookMs > LONG_MS) {
      this.#limit = Math.min(this.#most, Math.max(ENTRIES_MIN, this.#limit >> 1))
    }
  }
}
