import type { Condition } from '../../core/conditions.ts'
import type { Stamp } from '../../core/stamp.ts'
import type { Decider, WriteOutcome } from '../../strategy/write/write-port.ts'

/** What a change writes. */
export interface WrittenValue {
  /** Anything of JSON, at most 4 MiB of it. */
  readonly value: unknown
  /**
   * When it is gone, Unix milliseconds: see `SetOptions`. At most 300 changes of a group where one has it.
   * Default: it stays.
   */
  readonly expiresAt?: number
}

/** Sets the value of a key. */
export interface SetChange extends WrittenValue {
  readonly kind: 'set'
  readonly key: string
}

/**
 * Appends an item to the list of a key. With an id of yours that stands already: with the same content nothing
 * happens, with other content the group is a `CONFLICT`.
 */
export interface AppendChange extends WrittenValue {
  readonly kind: 'append'
  readonly key: string
  /** At most 256 bytes. Default: made from its position. */
  readonly id?: string
}

/** Replaces the value of the item of this id, which keeps its position; appends it where there is none. */
export interface PutChange extends WrittenValue {
  readonly kind: 'put'
  readonly key: string
  readonly id: string
}

/** Appends an item unless the list shows one of this id, which then stays as it is. */
export interface AddIfAbsentChange extends WrittenValue {
  readonly kind: 'addIfAbsent'
  readonly key: string
  readonly id: string
}

/** Removes an item, if the list shows it. Its id cannot be used again before the key is deleted. */
export interface RemoveChange {
  readonly kind: 'remove'
  readonly key: string
  readonly id: string
}

/** Removes the value and the list of a key, everywhere and for good. */
export interface DeleteChange {
  readonly kind: 'delete'
  readonly key: string
}

/** One change of a group. */
export type Change =
  SetChange | AppendChange | PutChange | AddIfAbsentChange | RemoveChange | DeleteChange

/** How a group is written. */
export interface ChangesOptions {
  /** What must stand for the group to be written, at most 1,000. Default: nothing. */
  readonly if?: readonly Condition[]
  /**
   * Who judges the conditions, of which changes with ids have some of their own. `primary`: the primary alone; while
   * it is out the group is `UNAVAILABLE`. `anywhere`: while it is out, the backup. Default: `anywhere`.
   */
  readonly decide?: Decider
}

/** What stands after a change. */
export interface ChangeResult {
  readonly key: string
  /** Of an item. */
  readonly id?: string
  /** False when nothing had to be done: an item that was there, or one to remove that was not. */
  readonly changed: boolean
  /** What `{ key, stamp }` and `{ key, id, stamp }` must say next; absent when nothing stands. */
  readonly stamp?: Stamp
  /** Where the item stands: what `{ key, last }` must say next if it is the latest. */
  readonly position?: Stamp
}

/** What became of a group. */
export interface ChangesOutcome extends WriteOutcome {
  /** One for each change, in their order. */
  readonly results: readonly ChangeResult[]
}

/** A value and the stamp of its latest change. */
export interface Entry<T> {
  readonly value: T
  /** Greater with each change; what a condition names. */
  readonly stamp: Stamp
}
