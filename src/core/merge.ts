/*
 * The state of a key and the merge of operations into it.
 *
 * A key is (deletedThrough, register?, items by id). An item is a product of three parts that merge on
 * their own, and each belongs to a position:
 *
 *   appended   the value of the greatest position
 *   edited     the value of the greatest (position of the append that it edits, stamp); it beats the
 *              appended value, whatever the positions
 *   removed    the greatest position that a removal carried: while it is there nothing is seen
 *
 * `deletedThrough` cuts every part whose position is at or below it, now and whenever it arrives
 * later; nothing of an item survives a clear, and its id is free again. A removal drops the parts at or
 * below its own position. Parts above it are kept out of sight: the clear that frees them may be late.
 * Because each part is a maximum and each cut goes by the same position, merging is idempotent,
 * commutative and associative.
 */
import type { JsonText } from './json.ts'
import type { Operation, PutOperation } from './operation.ts'
import { maxStamp, STAMP_MIN, type Stamp } from './stamp.ts'

/** One list item as a store keeps it: what is gone by `deletedThrough` is already left out. */
export interface Item extends ItemParts {
  readonly id: string
  /** The greatest position of its parts. */
  readonly position: Stamp
}

/** The parts of an item; each is there or not, with its position. */
export interface ItemParts {
  readonly appendedAt?: Stamp
  readonly appended?: JsonText
  /** Position of the append that the edit belongs to. */
  readonly editedOf?: Stamp
  readonly editedAt?: Stamp
  readonly edited?: JsonText
  /** The greatest position that a removal carried. */
  readonly removedOf?: Stamp
}

/** The value of a key and when it was set. */
export interface Register {
  readonly stamp: Stamp
  readonly value: JsonText
}

export interface KeyState {
  deletedThrough: Stamp | undefined
  register: Register | undefined
  readonly items: Map<string, Item>
}

export function emptyState(): KeyState {
  return { deletedThrough: undefined, register: undefined, items: new Map() }
}

/** What a reader sees of an item, or undefined when it was removed. */
export function itemValue(item: Item): JsonText | undefined {
  return isRemoved(item) ? undefined : (item.edited ?? item.appended)
}

/** True while nothing of the item is seen, and its id cannot be used, until a clear. */
export function isRemoved({ removedOf }: ItemParts): boolean {
  return removedOf !== undefined
}

/** The stamp that an edit must exceed to have an effect. */
export function itemStamp(item: Item): Stamp {
  return maxStamp(item.position, item.editedAt ?? STAMP_MIN)
}

/** The greatest stamp of anything live in the key. */
export function headOf(state: KeyState): Stamp | undefined {
  let head = state.register?.stamp
  for (const item of state.items.values()) head = maxStamp(head, itemStamp(item))
  return head
}

/** The visible items, oldest first. */
export function visibleItems(state: KeyState): Item[] {
  return [...state.items.values()].filter((item) => itemValue(item) !== undefined).sort(byPosition)
}

export function byPosition(a: Item, b: Item): number {
  return a.position < b.position ? -1 : a.position > b.position ? 1 : a.id < b.id ? -1 : 1
}

/** Merges one operation into the state. Never fails: what has no effect changes nothing. */
export function applyOperation(state: KeyState, operation: Operation): void {
  switch (operation.kind) {
    case 'delete':
      raiseDeletedThrough(state, operation.stamp)
      return
    case 'set':
      mergeRegister(state, operation)
      return
    case 'put':
      mergeItem(state, itemOf(operation))
      return
  }
}

/** Merges a whole state, as read from another place, into this one. */
export function mergeState(state: KeyState, other: KeyState): void {
  raiseDeletedThrough(state, other.deletedThrough)
  if (other.register !== undefined) mergeRegister(state, other.register)
  for (const item of other.items.values()) mergeItem(state, item)
}

export function mergeRegister(state: KeyState, { stamp, value }: Register): void {
  if (isGone(stamp, state.deletedThrough)) return
  if (state.register === undefined || stamp > state.register.stamp)
    state.register = { stamp, value }
}

export function raiseDeletedThrough(state: KeyState, stamp: Stamp | undefined): void {
  if (stamp === undefined) return
  if (state.deletedThrough !== undefined && stamp <= state.deletedThrough) return
  state.deletedThrough = stamp
  if (state.register !== undefined && state.register.stamp <= stamp) state.register = undefined
  for (const item of state.items.values()) keep(state, item)
}

export function mergeItem(state: KeyState, item: Item): void {
  const existing = state.items.get(item.id)
  keep(state, existing === undefined ? item : joinItems(existing, item))
}

/** The join of two versions of one item. */
export function joinItems(a: Item, b: Item): Item {
  const appended = (a.appendedAt ?? STAMP_MIN) >= (b.appendedAt ?? STAMP_MIN) ? a : b
  const edited = isLaterEdit(b, a) ? b : a
  const { appendedAt, appended: value } = appended
  const { editedOf, editedAt, edited: text } = edited
  const removedOf = maxStamp(a.removedOf, b.removedOf)
  const above = (position: Stamp): boolean => removedOf === undefined || position > removedOf
  return itemOfParts(a.id, {
    ...(appendedAt !== undefined && above(appendedAt) && { appendedAt, appended: value! }),
    ...(editedOf !== undefined &&
      above(editedOf) && { editedOf, editedAt: editedAt!, edited: text! }),
    ...(removedOf !== undefined && { removedOf }),
  })!
}

/** True when the edit of `a` wins over that of `b`. */
function isLaterEdit(a: ItemParts, b: ItemParts): boolean {
  const [ofA, ofB] = [a.editedOf ?? STAMP_MIN, b.editedOf ?? STAMP_MIN]
  return ofA === ofB ? (a.editedAt ?? STAMP_MIN) > (b.editedAt ?? STAMP_MIN) : ofA > ofB
}

/** The item of these parts; undefined without any. */
export function itemOfParts(id: string, parts: ItemParts): Item | undefined {
  const { appendedAt, editedOf, removedOf } = parts
  const position = maxStamp(maxStamp(appendedAt, editedOf), removedOf)
  return position === undefined ? undefined : { id, position, ...parts }
}

/** A single operation as an item that can be joined. */
export function itemOf(operation: PutOperation): Item {
  const { id, position, stamp } = operation
  switch (operation.change) {
    case 'append':
      return { id, position, appendedAt: position, appended: operation.value }
    case 'edit':
      return { id, position, editedOf: position, editedAt: stamp, edited: operation.value }
    case 'remove':
      return { id, position, removedOf: position }
  }
}

/**
 * The item without what is gone by `deletedThrough`; undefined when nothing is left of it. A part at
 * `STAMP_MIN` is always gone: earlier releases wrote it of what was left of cleared items.
 */
export function withoutCleared(
  item: Item,
  deletedThrough: Stamp | undefined = STAMP_MIN,
): Item | undefined {
  if (item.position <= deletedThrough) return undefined
  const isLeft = (position: Stamp | undefined): boolean =>
    position === undefined || position > deletedThrough
  const { appendedAt, editedOf, removedOf } = item
  if (isLeft(appendedAt) && isLeft(editedOf) && isLeft(removedOf)) return item
  return itemOfParts(item.id, {
    ...(appendedAt !== undefined && isLeft(appendedAt) && { appendedAt, appended: item.appended! }),
    ...(editedOf !== undefined &&
      isLeft(editedOf) && { editedOf, editedAt: item.editedAt!, edited: item.edited! }),
    ...(removedOf !== undefined && isLeft(removedOf) && { removedOf }),
  })
}

/**
 * The operations that make this state from nothing; merging them elsewhere copies it. The stamp of
 * a removal is its position: only its being there counts.
 */
export function operationsOf(key: string, state: KeyState): Operation[] {
  const operations: Operation[] = []
  if (state.deletedThrough !== undefined) {
    operations.push({ kind: 'delete', key, stamp: state.deletedThrough })
  }
  if (state.register !== undefined) operations.push({ kind: 'set', key, ...state.register })
  for (const item of state.items.values()) operations.push(...operationsOfItem(key, item))
  return operations
}

/** The same of one item: an operation for each part. */
export function operationsOfItem(key: string, item: Item): PutOperation[] {
  const { id, appendedAt, editedOf, removedOf } = item
  const operations: PutOperation[] = []
  if (appendedAt !== undefined) {
    const at = { position: appendedAt, stamp: appendedAt }
    operations.push({ kind: 'put', change: 'append', key, id, ...at, value: item.appended! })
  }
  if (editedOf !== undefined) {
    const at = { position: editedOf, stamp: item.editedAt! }
    operations.push({ kind: 'put', change: 'edit', key, id, ...at, value: item.edited! })
  }
  if (removedOf !== undefined) {
    operations.push({
      kind: 'put',
      change: 'remove',
      key,
      id,
      position: removedOf,
      stamp: removedOf,
    })
  }
  return operations
}

function keep(state: KeyState, item: Item): void {
  const left = withoutCleared(item, state.deletedThrough)
  if (left === undefined) state.items.delete(item.id)
  else state.items.set(item.id, left)
}

function isGone(stamp: Stamp, deletedThrough: Stamp | undefined): boolean {
  return deletedThrough !== undefined && stamp <= deletedThrough
}
