import type { DatabasePlace } from '../core/places.ts'
import type { HealthFailure, HealthStats } from './health-manager.ts'
import { LatencyWindow } from './latency-window.ts'

/** What happened at one place, counted. It judges nothing. */
export class PlaceRecord {
  readonly #place: DatabasePlace
  readonly #latency: LatencyWindow
  readonly #historyMax: number
  #history: readonly HealthFailure[] = []
  #successes = 0
  #failures = 0
  #consecutiveFailures = 0
  #lastSuccessMs: number | undefined
  #lastFailure: HealthFailure | undefined

  constructor(place: DatabasePlace, historyMax: number, latencyWindowSize: number) {
    this.#place = place
    this.#historyMax = historyMax
    this.#latency = new LatencyWindow(latencyWindowSize)
  }

  /** Without a latency it counts as a success all the same. */
  success(atMs: number, latencyMs: number | undefined): void {
    this.#successes++
    this.#consecutiveFailures = 0
    this.#lastSuccessMs = atMs
    if (latencyMs !== undefined) this.#latency.add(latencyMs)
  }

  failure(failure: HealthFailure): void {
    this.#failures++
    this.#consecutiveFailures++
    this.#lastFailure = failure
    this.#history = [...this.#history, failure].slice(-this.#historyMax)
  }

  stats(healthy: boolean, circuit: HealthStats['circuit']): HealthStats {
    const lastSuccessMs = this.#lastSuccessMs
    const lastFailure = this.#lastFailure
    return {
      place: this.#place,
      healthy,
      circuit,
      successes: this.#successes,
      failures: this.#failures,
      consecutiveFailures: this.#consecutiveFailures,
      ...(lastSuccessMs !== undefined && { lastSuccessMs }),
      ...(lastFailure !== undefined && { lastFailure }),
      latency: this.#latency.stats(),
      failureHistory: this.#history,
    }
  }
}
