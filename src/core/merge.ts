/*
 * The state of a key and the merge of operations into it.
 *
 * A key is (deletedThrough, register?, items by id). An item is a product of registers that merge
 * on their own: position (greatest), appended value (that of the greatest position), edited value
 * (greatest stamp; beats the appended one whatever the stamps) and removed (once set, for ever).
 * What stands at or below deletedThrough is gone, now and whenever it arrives later; `removed` is
 * kept. Because each part is a maximum, merging is idempotent, commutative and associative.
 */
import type { JsonText } from './json.ts'
import type { Operation, PutOperation } from './operation.ts'
import { maxStamp, STAMP_MIN, type Stamp } from './stamp.ts'

/** One list item as a store keeps it: what is gone by `deletedThrough` is already left out. */
export interface Item {
  readonly id: string
  /** `STAMP_MIN` when no position is left: only a removed item is kept then. */
  readonly position: Stamp
  /** Position that brought the appended value; usually the same as `position`. */
  readonly appendedAt?: Stamp
  readonly appended?: JsonText
  readonly editedAt?: Stamp
  readonly edited?: JsonText
  readonly removed: boolean
}

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

/** What a reader sees of an item, or undefined when it sees nothing. */
export function itemValue(item: Item): JsonText | undefined {
  if (item.removed || item.position === STAMP_MIN) return undefined
  return item.edited ?? item.appended
}

/** The stamp that an edit must exceed to have an effect. */
export function itemStamp(item: Item): Stamp {
  return maxStamp(item.position, item.editedAt ?? STAMP_MIN)
}

/** The greatest stamp of anything live in the key. */
export function headOf(state: KeyState): Stamp | undefined {
  let head = state.register?.stamp
  for (const item of state.items.values()) head = maxStamp(head, itemStamp(item))
  return head === STAMP_MIN ? undefined : head
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
  const standing = state.items.get(item.id)
  keep(state, standing === undefined ? item : joinItems(standing, item))
}

/** The join of two versions of one item. */
export function joinItems(a: Item, b: Item): Item {
  const removed = a.removed || b.removed
  const position = maxStamp(a.position, b.position)
  if (removed) return { id: a.id, position, removed }
  const appended = (a.appendedAt ?? STAMP_MIN) >= (b.appendedAt ?? STAMP_MIN) ? a : b
  const edited = (a.editedAt ?? STAMP_MIN) >= (b.editedAt ?? STAMP_MIN) ? a : b
  return {
    id: a.id,
    position,
    removed,
    ...(appended.appendedAt !== undefined && {
      appendedAt: appended.appendedAt,
      appended: appended.appended!,
    }),
    ...(edited.editedAt !== undefined && { editedAt: edited.editedAt, edited: edited.edited! }),
  }
}

/** A single operation as an item that can be joined. */
export function itemOf(operation: PutOperation): Item {
  const { id, position, stamp } = operation
  switch (operation.change) {
    case 'append':
      return { id, position, appendedAt: position, appended: operation.value, removed: false }
    case 'edit':
      return { id, position, editedAt: stamp, edited: operation.value, removed: false }
    case 'remove':
      return { id, position, removed: true }
  }
}

/** The item without what is gone by `deletedThrough`; undefined when nothing is left of it. */
export function settleItem(item: Item, deletedThrough: Stamp | undefined): Item | undefined {
  const position = isGone(item.position, deletedThrough) ? STAMP_MIN : item.position
  if (item.removed) return { id: item.id, position, removed: true }
  const appended = item.appendedAt !== undefined && !isGone(item.appendedAt, deletedThrough)
  const edited = item.editedAt !== undefined && !isGone(item.editedAt, deletedThrough)
  if (!edited && position === STAMP_MIN) return undefined
  return {
    id: item.id,
    position,
    removed: false,
    ...(appended && { appendedAt: item.appendedAt, appended: item.appended! }),
    ...(edited && { editedAt: item.editedAt, edited: item.edited! }),
  }
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

export function operationsOfItem(key: string, item: Item): PutOperation[] {
  const { id, position } = item
  if (item.removed) return [{ kind: 'put', change: 'remove', key, id, position, stamp: position }]
  const operations: PutOperation[] = []
  if (item.appendedAt !== undefined) {
    const stamp = item.appendedAt
    operations.push({
      kind: 'put',
      change: 'append',
      key,
      id,
      position: stamp,
      stamp,
      value: item.appended!,
    })
  }
  if (item.editedAt !== undefined) {
    operations.push({
      kind: 'put',
      change: 'edit',
      key,
      id,
      position,
      stamp: item.editedAt,
      value: item.edited!,
    })
  }
  return operations
}

function keep(state: KeyState, item: Item): void {
  const left = settleItem(item, state.deletedThrough)
  if (left === undefined) state.items.delete(item.id)
  else state.items.set(item.id, left)
}

function isGone(stamp: Stamp, deletedThrough: Stamp | undefined): boolean {
  return deletedThrough !== undefined && stamp <= deletedThrough
}
