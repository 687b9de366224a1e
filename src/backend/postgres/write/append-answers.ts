import type { Verdict } from '../../../core/decide.ts'
import type { Operation } from '../../../core/operation.ts'
import { stampFloor, stampMs, type Stamp } from '../../../core/stamp.ts'
import type { BatchCall } from '../../batcher.ts'
import { TOUCHED_LAG_MS } from '../rows/head-sql.ts'

const APPLIED: Verdict = { outcome: 'applied' }

/** A key touched before this must be touched again by this stamp. */
export function coarse(touched: Stamp): Stamp {
  return stampFloor(stampMs(touched) - TOUCHED_LAG_MS)
}

/** As core/decide.ts judges appends that are not refused by what stands. */
export function answerAppends(
  { operations, decide }: BatchCall,
  cleared: ReadonlyMap<string, Stamp>,
): Verdict[] {
  // Hardly any key was ever cleared.
  if (cleared.size === 0) return operations.map(() => APPLIED)
  const isBehind = (operation: Operation): boolean => {
    const through = cleared.get(operation.key)
    return decide && through !== undefined && operation.stamp <= through
  }
  const refused = operations.some(isBehind)
  return operations.map((operation) => {
    const deletedThrough = cleared.get(operation.key)
    if (deletedThrough === undefined) return { outcome: refused ? 'withheld' : 'applied' }
    return isBehind(operation)
      ? { outcome: 'behind', stamp: deletedThrough, deletedThrough }
      : { outcome: refused ? 'withheld' : 'applied', deletedThrough }
  })
}
