import { Emitter } from '../core/emitter.ts'
import type { Env } from '../core/env.ts'
import { isBadArgument, isCallersFault, isStorageError, messageOf } from '../core/errors.ts'
import { byDefault, checkEnv, integer, ms } from '../core/option-kinds.ts'
import type { OptionTable } from '../core/options.ts'
import { DAY_MS } from '../core/time.ts'
import type { DatabasePlace } from '../core/places.ts'
import type {
  HealthEvents,
  HealthFailure,
  HealthManager,
  HealthProbe,
  HealthStats,
} from './health-manager.ts'
import { PlaceRecord } from './place-record.ts'
import { ProbeLoop } from './probe-loop.ts'

/** What every health manager can be told. Times are in milliseconds. */
export interface HealthBaseConfig {
  /**
   * Time between two probes of a place. Default: 1,000: an idle store notices an outage, and the end
   * of one, within a second, for one cheap call a second.
   */
  readonly healthCheckInterval?: number
  /** Failures that `failureHistory` keeps. Default: 50, enough to see how an outage began. */
  readonly maxFailureHistory?: number
  /**
   * Latencies that the percentiles are taken from. Default: 256: the p99 is then still a real
   * sample, and the window follows a change within a few hundred calls.
   */
  readonly latencyWindowSize?: number
}

export const HEALTH_OPTIONS: OptionTable<HealthBaseConfig, keyof HealthBaseConfig> = {
  healthCheckInterval: byDefault(1_000, ms(1, DAY_MS)),
  maxFailureHistory: byDefault(50, integer(1, 100_000)),
  latencyWindowSize: byDefault(256, integer(1, 1_000_000)),
}

/**
 * Calls that nobody waits for and that are large on purpose. In the percentiles, which say how long a
 * save or read may take before another place is asked as well, they would make each outage cost more.
 */
const BACKGROUND: ReadonlySet<string> = new Set(['flush', 'digest', 'scan', 'repair'])

/** What a place's outcome means to a judge. */
export type Outcome = 'success' | 'failure' | 'ignored'

/** Counting, events and probing: what the health managers share. How to judge is theirs. */
export abstract class HealthBase implements HealthManager {
  protected readonly env: Env
  readonly #records: Readonly<Record<DatabasePlace, PlaceRecord>>
  readonly #emitter: Emitter<HealthEvents>
  readonly #loop: ProbeLoop

  constructor(env: Env, config: Required<HealthBaseConfig>) {
    checkEnv(env)
    const { healthCheckInterval, maxFailureHistory, latencyWindowSize } = config
    const record = (place: DatabasePlace): PlaceRecord =>
      new PlaceRecord(place, maxFailureHistory, latencyWindowSize)
    this.env = env
    this.#records = { primary: record('primary'), backup: record('backup') }
    this.#emitter = new Emitter<HealthEvents>((error) => {
      env.logger.error({ error: messageOf(error) }, 'a listener of the health manager threw')
    })
    this.#loop = new ProbeLoop({
      env,
      intervalMs: healthCheckInterval,
      onSuccess: (place, latencyMs) => this.markSuccess(place, 'probe', latencyMs),
      onFailure: (place, error) => this.markFailure(place, error, 'probe'),
    })
  }

  abstract isHealthy(place: DatabasePlace): boolean
  /** The circuit as it is now; asking changes nothing that a caller could notice. */
  protected abstract circuitOf(place: DatabasePlace): HealthStats['circuit']
  protected abstract judge(place: DatabasePlace, outcome: Outcome): void

  markSuccess(place: DatabasePlace, operation: string, latencyMs: number): void {
    const waitedFor = !BACKGROUND.has(operation)
    this.#records[place].success(this.env.now(), waitedFor ? latencyMs : undefined)
    this.#judge(place, 'success')
  }

  markFailure(place: DatabasePlace, error: unknown, operation: string): void {
    if (saysNothing(error)) {
      this.#judge(place, 'ignored')
      return
    }
    const failure: HealthFailure = { atMs: this.env.now(), operation, message: messageOf(error) }
    this.#records[place].failure(failure)
    this.#judge(place, 'failure')
    this.#emitter.emit('failure', { place, failure })
  }

  getHealthStats(place: DatabasePlace): HealthStats {
    const circuit = this.circuitOf(place)
    return this.#records[place].stats(circuit === 'closed', circuit)
  }

  getAllHealthStats(): Readonly<Record<DatabasePlace, HealthStats>> {
    return { primary: this.getHealthStats('primary'), backup: this.getHealthStats('backup') }
  }

  startHealthCheck(probe?: HealthProbe): void {
    if (probe !== undefined) this.#loop.start(probe)
  }

  async stopHealthCheck(): Promise<void> {
    await this.#loop.stop()
  }

  on<Name extends keyof HealthEvents>(
    name: Name,
    listener: (event: HealthEvents[Name]) => void,
  ): () => void {
    return this.#emitter.on(name, listener)
  }

  #judge(place: DatabasePlace, outcome: Outcome): void {
    const wasHealthy = this.circuitOf(place) === 'closed'
    this.judge(place, outcome)
    const healthy = this.circuitOf(place) === 'closed'
    if (healthy !== wasHealthy) {
      this.#emitter.emit('change', { place, healthy, stats: this.getHealthStats(place) })
    }
  }
}

/**
 * The caller's fault, or our own doing: a full queue and a closed backend are not an outage. An
 * engine that lacks a feature lacks it in good health too.
 */
function saysNothing(error: unknown): boolean {
  return (
    isCallersFault(error) ||
    isBadArgument(error) ||
    isStorageError(error, 'OVERLOADED') ||
    isStorageError(error, 'CLOSED') ||
    isStorageError(error, 'UNSUPPORTED')
  )
}
