import type { Env } from '../core/env.ts'
import { messageOf } from '../core/errors.ts'
import type { DatabasePlace } from '../core/places.ts'
import { HealthBase } from './health-base.ts'
import type { HealthEvents, HealthManager, HealthProbe, HealthStats } from './health-manager.ts'

/** What a manager of an application's own may leave out. */
const UNKNOWN = {
  circuit: 'closed',
  successes: 0,
  failures: 0,
  consecutiveFailures: 0,
  latency: { samples: 0, p50: 0, p95: 0, p99: 0 },
  failureHistory: [],
} as const

/**
 * A health manager of an application's own behind our port. It only chooses what is tried first, so nothing
 * that it throws may fail a call or end a loop.
 */
class GuardedHealth implements HealthManager {
  readonly #env: Env
  readonly #own: HealthManager
  readonly #reported = new Set<string>()

  constructor(env: Env, own: HealthManager) {
    this.#env = env
    this.#own = own
  }

  isHealthy(place: DatabasePlace): boolean {
    return this.#guard('isHealthy', () => this.#own.isHealthy(place)) ?? true
  }

  markSuccess(place: DatabasePlace, operation: string, latencyMs: number): void {
    this.#guard('markSuccess', () => this.#own.markSuccess(place, operation, latencyMs))
  }

  markFailure(place: DatabasePlace, error: unknown, operation: string): void {
    this.#guard('markFailure', () => this.#own.markFailure(place, error, operation))
  }

  getHealthStats(place: DatabasePlace): HealthStats {
    const given = this.#guard('getHealthStats', () => this.#own.getHealthStats(place)) as
      Partial<HealthStats> | undefined
    return { place, ...UNKNOWN, ...given, healthy: given?.healthy ?? this.isHealthy(place) }
  }

  getAllHealthStats(): Readonly<Record<DatabasePlace, HealthStats>> {
    return { primary: this.getHealthStats('primary'), backup: this.getHealthStats('backup') }
  }

  startHealthCheck(probe?: HealthProbe): void {
    this.#guard('startHealthCheck', () => this.#own.startHealthCheck(probe))
  }

  async stopHealthCheck(): Promise<void> {
    try {
      await this.#own.stopHealthCheck()
    } catch (error) {
      this.#report('stopHealthCheck', error)
    }
  }

  on<Name extends keyof HealthEvents>(
    name: Name,
    listener: (event: HealthEvents[Name]) => void,
  ): () => void {
    return this.#guard('on', () => this.#own.on?.(name, listener)) ?? (() => {})
  }

  #guard<T>(method: string, call: () => T): T | undefined {
    try {
      return call()
    } catch (error) {
      this.#report(method, error)
      return undefined
    }
  }

  /** Once for each method: some are called for every save. */
  #report(method: string, error: unknown): void {
    if (this.#reported.has(method)) return
    this.#reported.add(method)
    this.#env.logger.error({ error: messageOf(error) }, `the health manager threw: ${method}`)
  }
}

/** One of ours as it is; one of an application's own so that it can spoil nothing. */
export function guardedHealth(env: Env, health: HealthManager): HealthManager {
  return health instanceof HealthBase ? health : new GuardedHealth(env, health)
}
