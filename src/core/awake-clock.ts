import type { Env } from './env.ts'

/**
 * Elapsed time that also counts while the machine sleeps or is paused, when the monotonic clock of many
 * systems stands still. A wall clock that is set forward counts as time too, one that is set back does not.
 */
export class AwakeClock {
  readonly #env: Env
  #elapsedMs = 0
  #monotonicMs: number
  #wallMs: number

  constructor(env: Env) {
    this.#env = env
    this.#monotonicMs = env.monotonic()
    this.#wallMs = env.now()
  }

  /** Milliseconds since this clock was made. */
  now(): number {
    const [monotonicMs, wallMs] = [this.#env.monotonic(), this.#env.now()]
    this.#elapsedMs += Math.max(monotonicMs - this.#monotonicMs, wallMs - this.#wallMs)
    this.#monotonicMs = monotonicMs
    this.#wallMs = wallMs
    return this.#elapsedMs
  }
}
