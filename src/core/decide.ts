/*
 * What the store that serves a write answers before it applies: would the operation be without
 * effect (`behind`), does its id stand already (`stands`, `conflict`), is its target gone?
 */
import { headOf, isRemoved, itemStamp, type Item, type KeyState } from './merge.ts'
import type { AppendOperation, Operation, PutOperation } from './operation.ts'
import { STAMP_MIN, type Stamp } from './stamp.ts'

/**
 * The answer to one operation.
 *
 * - `applied`: merged; without `decide` always this.
 * - `stands`: a unique append whose id is there with the same content (an edited item counts as the
 *   same), or that was removed since it was made. Nothing was changed by it; `item` is what stands.
 * - `conflict`: a unique append whose id is there with other content, or was removed and has not been
 *   cleared since. The group is refused.
 * - `behind`: it would be without effect, or a delete would not cover everything. `stamp` stands in
 *   its way. The group is refused; the writer observes the stamp and stamps again. With `position`
 *   the item stands further on than the edit or removal says: the writer carries that one instead.
 * - `gone`: an edit or removal of an item that was cleared, or an edit of a removed one. The group
 *   is refused.
 * - `withheld`: not judged bad itself, but another operation of its group was refused.
 */
export type Verdict =
  | { readonly outcome: 'applied'; readonly deletedThrough?: Stamp }
  | { readonly outcome: 'stands'; readonly item: Item; readonly deletedThrough?: Stamp }
  | { readonly outcome: 'conflict'; readonly item: Item; readonly deletedThrough?: Stamp }
  | {
      readonly outcome: 'behind'
      readonly stamp: Stamp
      readonly position?: Stamp
      readonly deletedThrough?: Stamp
    }
  | { readonly outcome: 'gone'; readonly deletedThrough?: Stamp }
  | { readonly outcome: 'withheld'; readonly deletedThrough?: Stamp }

/** True when this answer refuses the whole group that the operation belongs to. */
export function isRefusal(applied: Verdict): boolean {
  return (
    applied.outcome === 'conflict' || applied.outcome === 'behind' || applied.outcome === 'gone'
  )
}

/** Judges one operation against the key's state. `unique`: appends carry ids that must be new. */
export function decide(state: KeyState, operation: Operation, unique: boolean): Verdict {
  const verdict = judge(state, operation, unique)
  return state.deletedThrough === undefined
    ? verdict
    : { ...verdict, deletedThrough: state.deletedThrough }
}

function judge(state: KeyState, operation: Operation, unique: boolean): Verdict {
  const { deletedThrough, register } = state
  switch (operation.kind) {
    case 'set':
      if (deletedThrough !== undefined && operation.stamp <= deletedThrough) {
        return { outcome: 'behind', stamp: deletedThrough }
      }
      return register !== undefined && operation.stamp < register.stamp
        ? { outcome: 'behind', stamp: register.stamp }
        : { outcome: 'applied' }
    case 'delete': {
      const head = headOf(state)
      return head !== undefined && head > operation.stamp
        ? { outcome: 'behind', stamp: head }
        : { outcome: 'applied' }
    }
    case 'put':
      return judgePut(state.items.get(operation.id), operation, deletedThrough, unique)
  }
}

/** The same for one item; engines that look rows up themselves call it directly. */
export function judgePut(
  existing: Item | undefined,
  operation: PutOperation,
  deletedThrough: Stamp | undefined,
  unique: boolean,
): Verdict {
  const cleared = operation.position <= (deletedThrough ?? STAMP_MIN)
  if (operation.change === 'append') {
    if (unique && existing !== undefined) return judgeRepeat(existing, operation)
    return cleared && deletedThrough !== undefined
      ? { outcome: 'behind', stamp: deletedThrough }
      : { outcome: 'applied' }
  }
  if (cleared) return { outcome: 'gone' }
  if (existing === undefined) return { outcome: 'applied' }
  if (isRemoved(existing)) return { outcome: operation.change === 'edit' ? 'gone' : 'applied' }
  const { position } = existing
  // What it carries is of an earlier append: a clear between the two would take it away.
  if (position > operation.position) {
    return { outcome: 'behind', stamp: itemStamp(existing), position }
  }
  return operation.change === 'edit' && itemStamp(existing) > operation.stamp
    ? { outcome: 'behind', stamp: itemStamp(existing) }
    : { outcome: 'applied' }
}

/** An append whose id is there. That of a removed item is not free before a clear. */
function judgeRepeat(existing: Item, { position, value }: AppendOperation): Verdict {
  const isSame = isRemoved(existing)
    ? existing.removedOf === position
    : existing.editedAt !== undefined || existing.appended === value
  return { outcome: isSame ? 'stands' : 'conflict', item: existing }
}
