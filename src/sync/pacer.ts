import type { Env } from '../core/env.ts'
import { StorageError } from '../core/errors.ts'
import { sleep } from '../core/time.ts'

/** Shorter pauses are saved up: a timer is not that exact. Milliseconds. */
const PAUSE_MIN_MS = 10
/** Longest pause after one call. Milliseconds. */
const PAUSE_MAX_MS = 1_000

export interface PacerOptions {
  readonly rowsPerSecond: number
  /** Also pauses after each digest, for as long as it took: the databases have other work. */
  readonly gentle: boolean
  readonly signal?: AbortSignal | undefined
  /** Throws when the pass must not go on. */
  readonly check: () => void
}

/** Keeps a pass from taking what others need, and ends it when it is told to. */
export class Pacer {
  readonly #env: Env
  readonly #options: PacerOptions
  #owedMs = 0
  #since: number

  constructor(env: Env, options: PacerOptions) {
    this.#env = env
    this.#options = options
    this.#since = env.monotonic()
  }

  /** After this many rows were read or written. */
  async rows(count: number): Promise<void> {
    this.#owedMs += (count * 1_000) / this.#options.rowsPerSecond
    await this.#payOff()
  }

  /** After a digest that took so long. */
  async digested(tookMs: number): Promise<void> {
    if (this.#options.gentle) await this.#pause(Math.min(tookMs, PAUSE_MAX_MS))
    else this.check()
  }

  check(): void {
    const { signal, check } = this.#options
    if (signal?.aborted === true) throw new StorageError('CLOSED', 'the pass was stopped')
    check()
  }

  /** Time that went by since the rows began is paid already. */
  async #payOff(): Promise<void> {
    const now = this.#env.monotonic()
    const leftMs = this.#owedMs - (now - this.#since)
    if (leftMs <= 0) {
      this.#owedMs = 0
      this.#since = now
      this.check()
      return
    }
    if (leftMs < PAUSE_MIN_MS) return
    await this.#pause(leftMs)
  }

  async #pause(ms: number): Promise<void> {
    this.check()
    if (ms >= 1) await sleep(this.#env, ms, this.#options.signal)
    this.check()
  }
}
