import type { Env } from '../core/env.ts'
import { byDefault, integer, ms } from '../core/option-kinds.ts'
import { resolve, type OptionTable } from '../core/options.ts'
import type { DatabasePlace } from '../core/places.ts'
import { DAY_MS } from '../core/time.ts'
import {
  allowsCall,
  CLOSED_CIRCUIT,
  transition,
  type Circuit,
  type CircuitEvent,
  type CircuitLimits,
} from './circuit.ts'
import { HEALTH_OPTIONS, HealthBase, type HealthBaseConfig, type Outcome } from './health-base.ts'
import type { HealthStats } from './health-manager.ts'

/** Times are in milliseconds. */
export interface CircuitBreakerConfig extends HealthBaseConfig {
  /**
   * Failures within `failureWindow` that open the circuit, whatever succeeds between them. Default:
   * 3: one lost connection is no outage, and three hedged calls in a row cost under a second.
   */
  readonly failureThreshold?: number
  /** Default: 10,000: failures that are further apart than this are not one outage. */
  readonly failureWindow?: number
  /**
   * Time an open circuit lets no call through. Default: 2,000: a restart of a database takes about
   * this long, and trying again costs one call at most `hedgeMs`.
   */
  readonly circuitOpenDuration?: number
  /**
   * Successes in a row that close a half-open circuit. Default: 2: a server that is starting may
   * answer once and fall over again.
   */
  readonly recoverySuccessThreshold?: number
}

export const CIRCUIT_OPTIONS: OptionTable<CircuitBreakerConfig, keyof CircuitBreakerConfig> = {
  ...HEALTH_OPTIONS,
  failureThreshold: byDefault(3, integer(1, 10_000)),
  failureWindow: byDefault(10_000, ms(1, DAY_MS)),
  circuitOpenDuration: byDefault(2_000, ms(1, DAY_MS)),
  recoverySuccessThreshold: byDefault(2, integer(1, 10_000)),
}

/**
 * Keeps calls away from a place that fails. `failureThreshold` failures within `failureWindow` open
 * its circuit for `circuitOpenDuration`; then one call at a time is let through, and
 * `recoverySuccessThreshold` successes in a row, of calls or probes, close it.
 */
export class CircuitBreakerHealthManager extends HealthBase {
  readonly #limits: CircuitLimits
  readonly #circuits: Record<DatabasePlace, Circuit> = {
    primary: CLOSED_CIRCUIT,
    backup: CLOSED_CIRCUIT,
  }

  constructor(env: Env, config: CircuitBreakerConfig = {}) {
    const resolved = resolve('', config, CIRCUIT_OPTIONS)
    super(env, resolved)
    this.#limits = resolved
  }

  /**
   * While half-open the answer true is an admission for the one call that asked: others get false
   * until it is judged by `markSuccess` or `markFailure`, or `circuitOpenDuration` has passed.
   */
  isHealthy(place: DatabasePlace): boolean {
    this.#send(place, 'tick')
    const allowed = allowsCall(this.#circuits[place])
    if (allowed) this.#send(place, 'trial')
    return allowed
  }

  protected circuitOf(place: DatabasePlace): HealthStats['circuit'] {
    this.#send(place, 'tick')
    return this.#circuits[place].kind
  }

  protected judge(place: DatabasePlace, outcome: Outcome): void {
    this.#send(place, outcome)
  }

  #send(place: DatabasePlace, kind: CircuitEvent['kind']): void {
    const event = { kind, nowMs: this.env.monotonic() }
    this.#circuits[place] = transition(this.#circuits[place], event, this.#limits)
  }
}
