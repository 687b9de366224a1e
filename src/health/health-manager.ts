import type { DatabasePlace } from '../core/places.ts'

/** Percentiles of the latest latencies. */
export interface LatencyStats {
  readonly samples: number
  /** Milliseconds; 0 without samples. */
  readonly p50: number
  readonly p95: number
  readonly p99: number
}

/** One failure that counted against a place. */
export interface HealthFailure {
  /** Wall clock, Unix milliseconds. */
  readonly atMs: number
  readonly operation: string
  readonly message: string
}

/** What is known about one place. */
export interface HealthStats {
  readonly place: DatabasePlace
  readonly healthy: boolean
  readonly circuit: 'closed' | 'open' | 'half-open'
  readonly successes: number
  readonly failures: number
  readonly consecutiveFailures: number
  readonly lastSuccessMs?: number
  readonly lastFailure?: HealthFailure
  /** Of calls that somebody waits for, and of probes. */
  readonly latency: LatencyStats
  /** Most recent last; bounded by `maxFailureHistory`. */
  readonly failureHistory: readonly HealthFailure[]
}

/** What a health manager tells its listeners. */
export interface HealthEvents {
  /** The place went from healthy to not, or back. */
  change: { readonly place: DatabasePlace; readonly healthy: boolean; readonly stats: HealthStats }
  /** One failure, whether it opened the circuit or not. */
  failure: { readonly place: DatabasePlace; readonly failure: HealthFailure }
}

/** A real round trip to a place; rejects when it fails. */
export type HealthProbe = (place: DatabasePlace) => Promise<void>

/**
 * Judges the places by the outcome of calls and of probes. It only chooses what is tried first:
 * it never decides what is true.
 *
 * A caller's mistake (`INVALID_ARGUMENT`, `CONFLICT`, …) is not a failure of the place.
 *
 * One of an application's own can spoil nothing: what it throws is logged, the first time for each method, a
 * place that it does not judge is tried, and what its statistics lack is filled in.
 */
export interface HealthManager {
  /** False while calls to the place would most likely fail. Costs no round trip. */
  isHealthy(place: DatabasePlace): boolean
  /** `operation` names the call of the engine; that of the flush is `flush`, whatever it calls. */
  markSuccess(place: DatabasePlace, operation: string, latencyMs: number): void
  markFailure(place: DatabasePlace, error: unknown, operation: string): void
  getHealthStats(place: DatabasePlace): HealthStats
  getAllHealthStats(): Readonly<Record<DatabasePlace, HealthStats>>
  /**
   * Probes in a loop until `stopHealthCheck`. A probe's outcome counts like a call's. A store hands its probe
   * in when it connects; without one, ours start nothing.
   */
  startHealthCheck(probe?: HealthProbe): void
  /** Ours resolve when no probe is running any more. */
  stopHealthCheck(): void | Promise<void>
  /**
   * Adds a listener and returns the function that removes it. Without it the store tells of no `health`
   * events, and a place that is back is noticed a moment later.
   */
  on?<Name extends keyof HealthEvents>(
    name: Name,
    listener: (event: HealthEvents[Name]) => void,
  ): () => void
}
