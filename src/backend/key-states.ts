/*
 * Judging, paging and digesting of key states that are at hand whole: what the engines share that
 * keep a `KeyState` for each key instead of rows.
 */
import {
  judgeConditions,
  latestVisible,
  standingOf,
  type FailedCondition,
} from '../core/conditions.ts'
import { decide, isRefusal, type Verdict } from '../core/decide.ts'
import { addDigest, digestOf, type BucketDigest, type StampRange } from '../core/digest.ts'
import {
  applyOperation,
  byPosition,
  emptyState,
  itemValue,
  type Item,
  type KeyState,
} from '../core/merge.ts'
import { rangeStamp, type Operation } from '../core/operation.ts'
import type { Stamp } from '../core/stamp.ts'
import { compareText } from '../core/text.ts'
import type { BatchCall } from './batcher.ts'
import { bucketsOf, type Bucket } from './buckets.ts'
import type { ItemQuery, LatestKey } from './replica-backend.ts'

/** What became of a call. */
export interface Judged {
  readonly applied: readonly Verdict[]
  readonly failed?: FailedCondition
}

/** True when nothing of the group may be applied. */
export function isRefused({ applied, failed }: Judged): boolean {
  return failed !== undefined || applied.some(isRefusal)
}

/** The same as `judgeGroup`, after the conditions of the call. */
export function judgeCall(
  { operations, decide: judged, unique, conditions = [] }: BatchCall,
  stateOf: (key: string) => KeyState | undefined,
): Judged {
  const failed = judgeConditions(conditions, operations, standingOf(stateOf))
  if (failed === undefined) return { applied: judgeGroup(operations, stateOf, judged, unique) }
  return { applied: withheldAll(operations, (key) => stateOf(key)?.deletedThrough), failed }
}

/** The answers to a group of which a condition has failed. */
export function withheldAll(
  operations: readonly Operation[],
  throughOf: (key: string) => Stamp | undefined,
): Verdict[] {
  return operations.map(({ key }) => {
    const deletedThrough = throughOf(key)
    return { outcome: 'withheld', ...(deletedThrough !== undefined && { deletedThrough }) }
  })
}

/** The answers to one group; nothing is changed. Without `judged` each operation is only merged. */
export function judgeGroup(
  operations: readonly Operation[],
  stateOf: (key: string) => KeyState | undefined,
  judged: boolean,
  unique: boolean,
): readonly Verdict[] {
  if (!judged) return operations.map(({ key }) => answer(stateOf(key)))
  const [first] = operations
  if (operations.length === 1) return [decide(stateOf(first!.key) ?? emptyState(), first!, unique)]
  // Judged in order on copies: a later operation of the group sees the earlier ones.
  const copies = new Map<string, KeyState>()
  const verdicts = operations.map((operation) => {
    let copy = copies.get(operation.key)
    if (copy === undefined) {
      copies.set(operation.key, (copy = copyState(stateOf(operation.key))))
    }
    const verdict = decide(copy, operation, unique)
    if (verdict.outcome === 'applied') applyOperation(copy, operation)
    return verdict
  })
  if (!verdicts.some(isRefusal)) return verdicts
  return verdicts.map((verdict) =>
    verdict.outcome === 'applied' ? { ...verdict, outcome: 'withheld' } : verdict,
  )
}

/** A copy that can be changed without changing the original. */
export function copyState(state: KeyState | undefined): KeyState {
  return state === undefined ? emptyState() : { ...state, items: new Map(state.items) }
}

/** The page of items that a query asks for. */
export function pageItems(
  state: KeyState | undefined,
  { before, after, limit, order, includeRemoved = false }: ItemQuery,
): { readonly items: readonly Item[]; readonly done: boolean } {
  const items = [...(state?.items.values() ?? [])]
    .filter((item) => includeRemoved || itemValue(item) !== undefined)
    .filter(({ position }) => before === undefined || position < before)
    .filter(({ position }) => after === undefined || position > after)
    .sort(byPosition)
  if (order === 'newest') items.reverse()
  return { items: items.slice(0, limit), done: items.length <= limit }
}

/** Position of the latest visible item. */
export function latestOf(state: KeyState): Stamp | undefined {
  return latestVisible(state)
}

/** True when `list` shows the key: it has a register or a visible item. */
export function isListed(state: KeyState): boolean {
  return state.register !== undefined || latestOf(state) !== undefined
}

/** Latest first; equal ones by key. */
export function compareLatest(a: LatestKey, b: LatestKey): number {
  return a.latest > b.latest ? -1 : a.latest < b.latest ? 1 : compareText(a.key, b.key)
}

/** True when an operation stands in the range of the time line. */
export function isInRange(operation: Operation, { from, to }: StampRange): boolean {
  const at = rangeStamp(operation)
  return from <= at && at < to
}

/** The digests of these operations, all of which stand in the range, by bucket. */
export function digestOperations(
  operations: Iterable<Operation>,
  range: StampRange,
  buckets: number,
): readonly BucketDigest[] {
  const result = bucketsOf(range, buckets)
  for (const operation of operations) {
    addDigest(bucketAt(result, rangeStamp(operation)), digestOf(operation))
  }
  return result
}

/** The one of these neighbours that a place falls into. */
function bucketAt(buckets: readonly Bucket[], place: Stamp): Bucket {
  let low = 0
  let high = buckets.length - 1
  while (low < high) {
    const middle = (low + high) >> 1
    if (place < buckets[middle]!.to) high = middle
    else low = middle + 1
  }
  return buckets[low]!
}

function answer(state: KeyState | undefined): Verdict {
  return state?.deletedThrough === undefined
    ? { outcome: 'applied' }
    : { outcome: 'applied', deletedThrough: state.deletedThrough }
}
