import type { LatencyStats } from './health-manager.ts'

/** The last latencies of one place. */
export class LatencyWindow {
  readonly #samples: Float64Array
  #count = 0

  constructor(size: number) {
    this.#samples = new Float64Array(size)
  }

  /** The oldest one goes when the window is full. */
  add(latencyMs: number): void {
    this.#samples[this.#count % this.#samples.length] = latencyMs
    this.#count++
  }

  /** Percentiles by nearest rank: each is a latency that did occur. Sorts the window. */
  stats(): LatencyStats {
    const samples = Math.min(this.#count, this.#samples.length)
    const sorted = this.#samples.slice(0, samples).sort()
    const rank = (share: number): number => sorted[Math.ceil(share * samples) - 1] ?? 0
    return { samples, p50: rank(0.5), p95: rank(0.95), p99: rank(0.99) }
  }
}
