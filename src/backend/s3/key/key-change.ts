import { applyOperation, operationsOfItem, type Item, type KeyState } from '../../../core/merge.ts'
import type { Operation } from '../../../core/operation.ts'
import type { BatchCall } from '../../batcher.ts'
import { copyState, isRefused, judgeCall, type Judged } from '../../key-states.ts'
import type { Version } from './version.ts'

/** What a batch of calls makes of the state of one key. */
export interface KeyChange {
  readonly answers: readonly Judged[]
  readonly state: KeyState
  /** False when the state is the same as before: nothing has to be written. */
  readonly changed: boolean
  /** Something is gone that an earlier version holds. */
  readonly erases: boolean
  /** The items that are not as they were. */
  readonly touched: ReadonlySet<string>
}

/** Judges the calls in order and merges those that are not refused. `before` stays as it is. */
export function changeKey(before: KeyState, calls: readonly BatchCall[]): KeyChange {
  const state = copyState(before)
  const touched = new Set<string>()
  const answers = calls.map((call) => {
    const judged = judgeCall(call, () => state)
    if (isRefused(judged)) return judged
    call.operations.forEach((operation, i) => {
      if (judged.applied[i]!.outcome !== 'applied') return
      if (operation.kind === 'put') touched.add(operation.id)
      applyOperation(state, operation)
    })
    return judged
  })
  const cleared = before.deletedThrough !== state.deletedThrough
  const differing = [...touched].filter((id) => differ(before.items.get(id), state.items.get(id)))
  const removed = differing.some((id) => {
    const now = state.items.get(id)?.removedOf
    return now !== undefined && now !== before.items.get(id)?.removedOf
  })
  return {
    answers,
    state,
    changed: cleared || differing.length > 0 || before.register?.stamp !== state.register?.stamp,
    erases: cleared || removed,
    touched: new Set(differing),
  }
}

/** The state with values put over those that stand with the same stamps, and nothing else. */
export function repairKey(
  before: KeyState,
  operations: readonly Operation[],
): Pick<KeyChange, 'state' | 'touched'> & { readonly written: number } {
  const state = copyState(before)
  return { state, ...putValues(state, operations) }
}

/** The same in place. */
export function putValues(
  state: KeyState,
  operations: readonly Operation[],
): { readonly touched: ReadonlySet<string>; readonly written: number } {
  const touched = new Set<string>()
  let written = 0
  for (const operation of operations) {
    if (operation.kind === 'set' && state.register?.stamp === operation.stamp) {
      state.register = { stamp: operation.stamp, value: operation.value }
      written++
    }
    if (operation.kind !== 'put' || operation.change === 'remove') continue
    const item = state.items.get(operation.id)
    if (item === undefined) continue
    if (operation.change === 'append' && item.appendedAt === operation.position) {
      state.items.set(item.id, { ...item, appended: operation.value })
    } else if (
      operation.change === 'edit' &&
      item.editedAt === operation.stamp &&
      item.editedOf === operation.position
    ) {
      state.items.set(item.id, { ...item, edited: operation.value })
    } else continue
    touched.add(item.id)
    written++
  }
  return { touched, written }
}

/** The tail of the next version: all that differs from the base, with what stands of it now. */
export function tailOf(
  key: string,
  state: KeyState,
  version: Version | undefined,
  touched: ReadonlySet<string>,
): Operation[] {
  const { deletedThrough, register, items } = state
  const ids = new Set(touched)
  for (const operation of version?.tail ?? []) if (operation.kind === 'put') ids.add(operation.id)
  const tail: Operation[] = []
  if (deletedThrough !== undefined) tail.push({ kind: 'delete', key, stamp: deletedThrough })
  if (register !== undefined) tail.push({ kind: 'set', key, ...register })
  for (const id of ids) {
    const item = items.get(id)
    if (item !== undefined) tail.push(...operationsOfItem(key, item))
  }
  return tail
}

/** Stamps say it all: two values of one stamp are the same. */
function differ(a: Item | undefined, b: Item | undefined): boolean {
  if (a === undefined || b === undefined) return a !== b
  return (
    a.appendedAt !== b.appendedAt ||
    a.editedOf !== b.editedOf ||
    a.editedAt !== b.editedAt ||
    a.removedOf !== b.removedOf
  )
}
