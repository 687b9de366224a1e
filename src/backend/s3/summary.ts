import { digestOf, digestWith } from '../../core/digest.ts'
import { headOf, itemValue, operationsOf, type KeyState } from '../../core/merge.ts'
import type { Operation } from '../../core/operation.ts'
import { maxStamp, type Stamp } from '../../core/stamp.ts'
import { placeOf } from '../key-states.ts'
import { refOf } from './value-ref.ts'

/** What listings, counts and most digests need to know of a key: stored with each version. */
export interface KeySummary {
  readonly deletedThrough?: Stamp
  readonly hasRegister: boolean
  /** Visible items. */
  readonly visible: number
  /** Position of the latest visible item. */
  readonly latest?: Stamp
  /** The greatest stamp of anything in the key. */
  readonly head?: Stamp
  /** Operations that make the state, where the first and the last stand, and their digests. */
  readonly count: number
  readonly first?: Stamp
  readonly last?: Stamp
  readonly low: number
  readonly high: number
  /** Left out by those who made it before edits and removals belonged to positions. */
  readonly rule?: 2
}

export function summaryOf(key: string, state: KeyState): KeySummary {
  let [count, low, high, visible] = [0, 0, 0, 0]
  let first: Stamp | undefined
  let last: Stamp | undefined
  for (const operation of operationsOf(key, state)) {
    const at = placeOf(operation)
    const digest = digestOfStored(operation)
    count++
    low += digest % 0x1000000
    high += Math.floor(digest / 0x1000000)
    last = maxStamp(last, at)
    if (first === undefined || at < first) first = at
  }
  let latest: Stamp | undefined
  for (const item of state.items.values()) {
    if (itemValue(item) === undefined) continue
    visible++
    latest = maxStamp(latest, item.position)
  }
  const { deletedThrough } = state
  const head = maxStamp(deletedThrough, headOf(state))
  return {
    ...(deletedThrough !== undefined && { deletedThrough }),
    hasRegister: state.register !== undefined,
    visible,
    ...(latest !== undefined && { latest }),
    ...(head !== undefined && { head }),
    count,
    ...(first !== undefined && { first }),
    ...(last !== undefined && { last }),
    low,
    high,
    rule: 2,
  }
}

/** The digest of an operation whose value may stand elsewhere. */
export function digestOfStored(operation: Operation): number {
  const ref = 'value' in operation ? refOf(operation.value) : undefined
  return ref === undefined ? digestOf(operation) : digestWith(operation, ref.digest)
}
