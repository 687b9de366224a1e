import { addDigest, digestOf, digestWith } from '../../../core/digest.ts'
import { headOf, itemValue, operationsOf, type KeyState } from '../../../core/merge.ts'
import { rangeStamp, type Operation } from '../../../core/operation.ts'
import { maxStamp, type Stamp } from '../../../core/stamp.ts'
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
  /**
   * Another one says what earlier releases summed. 2: digests of values; left out: and edits and removals
   * without their positions.
   */
  readonly rule?: number
}

/** By which a summary is made today. */
export const SUMMARY_RULE = 3

export function summaryOf(key: string, state: KeyState): KeySummary {
  const sum = { count: 0, low: 0, high: 0 }
  let visible = 0
  let first: Stamp | undefined
  let last: Stamp | undefined
  for (const operation of operationsOf(key, state)) {
    const at = rangeStamp(operation)
    addDigest(sum, digestOfStored(operation))
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
    ...sum,
    ...(first !== undefined && { first }),
    ...(last !== undefined && { last }),
    rule: SUMMARY_RULE,
  }
}

/** The digest of an operation whose value may stand elsewhere. */
export function digestOfStored(operation: Operation): number {
  const ref = 'value' in operation ? refOf(operation.value) : undefined
  return ref === undefined ? digestOf(operation) : digestWith(operation, ref.digest)
}
