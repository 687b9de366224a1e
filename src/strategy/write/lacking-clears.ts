import type { Verdict } from '../../core/decide.ts'
import { withoutCleared } from '../../core/merge.ts'
import type { DeleteOperation, Operation } from '../../core/operation.ts'
import type { Stamp } from '../../core/stamp.ts'
import type { SeenTombstones } from '../seen-tombstones.ts'

/**
 * The clears that a place lacked when it said that ids stand, though this process knows of them. What
 * stands there is gone: the place must hear of the clears before its answer is worth anything.
 */
export function lackingClears(
  tombstones: SeenTombstones,
  sent: readonly Operation[],
  applied: readonly Verdict[],
): readonly DeleteOperation[] {
  const clears = new Map<string, Stamp>()
  sent.forEach(({ key }, i) => {
    const answer = applied[i]
    if (answer?.outcome !== 'stands' && answer?.outcome !== 'conflict') return
    const stamp = tombstones.get(key)
    if (stamp !== undefined && withoutCleared(answer.item, stamp) !== answer.item)
      clears.set(key, stamp)
  })
  return [...clears].map(([key, stamp]) => ({ kind: 'delete', key, stamp }))
}
