import type { Condition } from '../core/conditions.ts'
import { isStorageError } from '../core/errors.ts'
import type { GroupChange } from '../store/groups.ts'
import type { StrategicStorageManager } from '../store/strategic-storage-manager.ts'
import type { WriteOutcome } from '../strategy/write/write-port.ts'

/**
 * Writes a group if the conditions hold, and without them where no database judges them: it must be one that may be
 * written twice, and one that is taken in an outage.
 *
 * @throws StorageError `CONFLICT` where one judged that they do not hold; otherwise as a save.
 */
export async function writeWhile(
  { groups }: Pick<StrategicStorageManager, 'groups'>,
  conditions: readonly Condition[],
  changes: readonly GroupChange[],
): Promise<WriteOutcome> {
  if (conditions.length === 0) return await groups.write(changes)
  try {
    return await groups.write(changes, { conditions, decide: 'anywhere' })
  } catch (error) {
    if (!isUnjudged(error)) throw error
    try {
      return await groups.write(changes)
    } catch (second) {
      throw mayStand(error) && !mayStand(second) ? error : second
    }
  }
}

/** True unless it is certain that what failed has no effect. */
function mayStand(error: unknown): boolean {
  return !isStorageError(error) || error.effect !== 'none'
}

function isUnjudged(error: unknown): boolean {
  return (['UNSUPPORTED', 'UNAVAILABLE', 'TIMEOUT'] as const).some((code) => {
    return isStorageError(error, code)
  })
}
