import type { Env } from '../core/env.ts'
import { DATABASE_PLACES, type DatabasePlace } from '../core/places.ts'
import { sleep, withDeadline } from '../core/time.ts'
import type { HealthProbe } from './health-manager.ts'

/** How often, and who is told. */
export interface ProbeLoopOptions {
  readonly env: Env
  /** Time from the end of one probe to the start of the next. Milliseconds. */
  readonly intervalMs: number
  readonly onSuccess: (place: DatabasePlace, latencyMs: number) => void
  readonly onFailure: (place: DatabasePlace, error: unknown) => void
}

/** The least time a probe gets: an interval may be shorter than a slow but living database. */
const PROBE_TIMEOUT_MS_MIN = 1_000

/**
 * One loop a place, so that a place that hangs does not delay the probes of the other. Loops never
 * overlap themselves. A probe without an answer counts as a failure after one interval, at least
 * after one second; ending its work then is up to the probe.
 */
export class ProbeLoop {
  readonly #options: ProbeLoopOptions
  #probe: HealthProbe | undefined
  #stop: AbortController | undefined
  #running: Promise<unknown> = Promise.resolve()

  constructor(options: ProbeLoopOptions) {
    this.#options = options
  }

  /** Starts the loops with a probe at once; while they run it only changes the probe. */
  start(probe: HealthProbe): void {
    this.#probe = probe
    if (this.#stop !== undefined) return
    const stop = new AbortController()
    this.#stop = stop
    this.#running = Promise.all(DATABASE_PLACES.map((place) => this.#run(place, stop.signal)))
  }

  /** Resolves when the probes under way are judged. May be called again. */
  async stop(): Promise<void> {
    this.#stop?.abort()
    this.#stop = undefined
    await this.#running
  }

  async #run(place: DatabasePlace, signal: AbortSignal): Promise<void> {
    const { env, intervalMs } = this.#options
    while (!signal.aborted) {
      await this.#probeOnce(place)
      await sleep(env, intervalMs, signal)
    }
  }

  async #probeOnce(place: DatabasePlace): Promise<void> {
    const { env, intervalMs, onSuccess, onFailure } = this.#options
    const timeoutMs = Math.max(intervalMs, PROBE_TIMEOUT_MS_MIN)
    const startMs = env.monotonic()
    try {
      await withDeadline(env, timeoutMs, `the probe of the ${place}`, this.#ask(place), { place })
    } catch (error) {
      onFailure(place, error)
      return
    }
    onSuccess(place, env.monotonic() - startMs)
  }

  async #ask(place: DatabasePlace): Promise<void> {
    await this.#probe!(place)
  }
}
