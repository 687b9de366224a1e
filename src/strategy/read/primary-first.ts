import type { StoreContext } from '../context.ts'
import { SelectingReadStrategy, type ReadPlan } from './selecting-read-strategy.ts'

/**
 * The primary answers; when it fails, is unhealthy, or (with `treatEmptyAsFailure`) has nothing, the
 * backup does. While another process has left a hint that the primary lacks something, both are
 * asked and merged.
 */
export class PrimaryFirstReadStrategy extends SelectingReadStrategy {
  readonly name: string = 'primary-first'

  protected plan({ places }: StoreContext, bothNeeded: boolean): ReadPlan {
    const primaryUp = places.primary.isHealthy()
    const backupUp = places.backup.isUp()
    // The unhealthy one comes last: a last attempt is made anyway.
    if (!primaryUp) return [['backup'], ['primary']]
    if (bothNeeded && backupUp) return [['primary', 'backup'], ['primary'], ['backup']]
    return [['primary'], ['backup']]
  }
}
