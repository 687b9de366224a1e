import type { JsonText } from './json.ts'
import type { Stamp } from './stamp.ts'

/** Sets a key's register: the greatest stamp wins. */
export interface SetOperation {
  readonly kind: 'set'
  readonly key: string
  readonly stamp: Stamp
  readonly value: JsonText
}

/** Appends a list item. Its position is its stamp. */
export interface AppendOperation {
  readonly kind: 'put'
  readonly change: 'append'
  readonly key: string
  readonly id: string
  readonly position: Stamp
  readonly stamp: Stamp
  readonly value: JsonText
}

/**
 * Replaces the value of an item. It belongs to the append at the position that it carries, which its
 * writer had read: what clears that append takes the edit along.
 */
export interface EditOperation {
  readonly kind: 'put'
  readonly change: 'edit'
  readonly key: string
  readonly id: string
  readonly position: Stamp
  readonly stamp: Stamp
  readonly value: JsonText
}

/** Removes an item until a clear. It carries the position that the writer had read. */
export interface RemoveOperation {
  readonly kind: 'put'
  readonly change: 'remove'
  readonly key: string
  readonly id: string
  readonly position: Stamp
  readonly stamp: Stamp
}

/** Raises the key's `deletedThrough` to the stamp: what is at or below it is gone. */
export interface DeleteOperation {
  readonly kind: 'delete'
  readonly key: string
  readonly stamp: Stamp
}

/** What happens to one item of a list. */
export type PutOperation = AppendOperation | EditOperation | RemoveOperation

/**
 * One change. Applying it is a merge that is idempotent, commutative and associative, so it may be
 * repeated and reordered at will (`merge.ts` has the laws).
 */
export type Operation = SetOperation | PutOperation | DeleteOperation

/**
 * The same operation with another stamp; an append moves to it, its message id stays.
 *
 * @param position Where the item of an edit or a removal turned out to stand.
 */
export function restamp(operation: Operation, stamp: Stamp, position?: Stamp): Operation {
  if (operation.kind !== 'put') return { ...operation, stamp }
  if (operation.change === 'append') return { ...operation, stamp, position: stamp }
  return { ...operation, stamp, ...(position !== undefined && { position }) }
}

/** One text for an item of a key: neither keys nor ids have a NUL. */
export function itemName({ key, id }: { readonly key: string; readonly id: string }): string {
  return `${key}\0${id}`
}

/** Bytes an operation roughly costs in memory, in a batch and on the wire. */
export function operationBytes(operation: Operation): number {
  const value = 'value' in operation ? operation.value.length : 0
  return 128 + operation.key.length + value
}

/** Where an operation stands on the time line that digests and scans cut into ranges. */
export function rangeStamp(operation: Operation): Stamp {
  return operation.kind === 'put' ? operation.position : operation.stamp
}
