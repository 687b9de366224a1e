import type { Condition } from '../core/conditions.ts'
import { errorOfBoth, isOutage, isStorageError } from '../core/errors.ts'
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
    if (!isOutage(error) && !isStorageError(error, 'UNSUPPORTED')) throw error
    try {
      return await groups.write(changes)
    } catch (second) {
      throw errorOfBoth(error, second)
    }
  }
}
