import { fieldsOf } from '../../core/given.ts'
import type { DatabasePlace } from '../../core/places.ts'
import { byDefault } from '../../core/option-kinds.ts'
import { resolve } from '../../core/options.ts'
import type { StoreContext } from '../context.ts'
import { READ_OPTIONS, SelectingReadStrategy, type ReadPlan } from './selecting-read-strategy.ts'
import type { ReadConfig } from './read-port.ts'

export const FAILOVER_OPTIONS: typeof READ_OPTIONS = {
  ...READ_OPTIONS,
  maxRetries: byDefault(1, READ_OPTIONS.maxRetries),
}

/**
 * Stays on the place that serves; after `maxRetries` failed attempts it switches to the other one.
 * While the primary catches up after an outage both are read and merged; when it has caught up, it
 * serves again.
 */
export class FailoverReadStrategy extends SelectingReadStrategy {
  readonly name = 'failover'
  override readonly config: Readonly<ReadConfig>
  #serving: DatabasePlace = 'primary'

  constructor(config: ReadConfig = {}) {
    const given = fieldsOf('options', config)
    super(resolve('', given, FAILOVER_OPTIONS))
    this.config = Object.freeze(given)
  }

  protected plan({ places, log }: StoreContext, bothNeeded: boolean): ReadPlan {
    const primaryUp = places.primary.isHealthy()
    const backupUp = places.backup.isUp()
    const catchingUp = log.owes('primary')
    if (primaryUp && backupUp && (bothNeeded || catchingUp)) {
      return [['primary', 'backup'], [this.#serving], [otherThan(this.#serving)]]
    }
    if (primaryUp && !catchingUp) return [['primary'], ['backup']]
    return this.#serving === 'backup' || !primaryUp
      ? [['backup'], ['primary']]
      : [['primary'], ['backup']]
  }

  protected override answered({ log }: StoreContext, answered: readonly DatabasePlace[]): void {
    if (answered.length === 1) this.#serving = answered[0]!
    else if (!log.owes('primary')) this.#serving = 'primary'
  }
}

function otherThan(place: DatabasePlace): DatabasePlace {
  return place === 'primary' ? 'backup' : 'primary'
}
