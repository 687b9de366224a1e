import type { LatencyStats } from './health-manager.ts'

/** A part of the window that may be new before the percentiles are computed again. */
const STALE_PART = 1 / 16

/** The last latencies of one place. */
export class LatencyWindow {
  readonly #samples: Float64Array
  #count = 0
  /** Every write asks for the p99: sorting each time would cost more than the write. */
  #known: { readonly count: number; readonly stats: LatencyStats } | undefined

  constructor(size: number) {
    this.#samples = new Float64Array(size)
  }

  /** The oldest one goes when the window is full. */
  add(latencyMs: number): void {
    this.#samples[this.#count % this.#samples.length] = latencyMs
    this.#count++
  }

  /**
   * Percentiles by nearest rank: each is a latency that did occur. They may lack the newest sixteenth
   * of the window.
   */
  stats(): LatencyStats {
    const known = this.#known
    const stale = Math.min(this.#count, this.#samples.length) * STALE_PART
    if (known !== undefined && this.#count - known.count <= stale) return known.stats
    const stats = this.#compute()
    this.#known = { count: this.#count, stats }
    return stats
  }

  #compute(): LatencyStats {
    const samples = Math.min(this.#count, this.#samples.length)
    const sorted = this.#samples.slice(0, samples).sort()
    const rank = (share: number): number => sorted[Math.ceil(share * samples) - 1] ?? 0
    return { samples, p50: rank(0.5), p95: rank(0.95), p99: rank(0.99) }
  }
}
