import type { Env } from '../core/env.ts'
import { resolve } from '../core/options.ts'
import type { DatabasePlace } from '../core/places.ts'
import { HEALTH_OPTIONS, HealthBase, type HealthBaseConfig, type Outcome } from './health-base.ts'
import type { HealthStats } from './health-manager.ts'

/** Probing and bounds; there is nothing to judge by. */
export type SimpleHealthConfig = HealthBaseConfig

/**
 * The last probe or call of a place decides: one failure makes it unhealthy, one success healthy.
 * While it is unhealthy only probes, or calls that are made all the same, can find it well again:
 * it needs `startHealthCheck`.
 */
export class SimpleHealthManager extends HealthBase {
  readonly #healthy: Record<DatabasePlace, boolean> = { primary: true, backup: true }

  constructor(env: Env, config: SimpleHealthConfig = {}) {
    super(env, resolve('', config, HEALTH_OPTIONS))
  }

  isHealthy(place: DatabasePlace): boolean {
    return this.#healthy[place]
  }

  protected circuitOf(place: DatabasePlace): HealthStats['circuit'] {
    return this.#healthy[place] ? 'closed' : 'open'
  }

  protected judge(place: DatabasePlace, outcome: Outcome): void {
    if (outcome !== 'ignored') this.#healthy[place] = outcome === 'success'
  }
}
