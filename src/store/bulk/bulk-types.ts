import type { KeyQuery } from '../../backend/replica-backend.ts'
import type { Stamp } from '../../core/stamp.ts'
import type { ReadMark } from '../../strategy/read/read-port.ts'

/** A key and its value. */
export interface KeyValue<T> {
  readonly key: string
  readonly value: T
}

/** A page of keys with their values. */
export interface EntriesPage<T> extends ReadMark {
  /** Sorted by code point of the key. Keys that hold only a list are left out. */
  readonly entries: readonly KeyValue<T>[]
  /** True when there is none beyond the last one. */
  readonly done: boolean
}

/** Which keys `entries` reads: those that begin with the prefix, above `after`. */
export type EntriesQuery = KeyQuery

/** An item as it was given, with where it stands. */
export interface DecodedItem<T> {
  readonly id: string
  readonly value: T
  /** Where it stands in its list: what `before` and `after` of the next page take. */
  readonly position: Stamp
  /** When it was appended, by the clock of its writer. Unix milliseconds. */
  readonly savedAt: number
}

/** A page of decoded items, in the order asked for. */
export interface DecodedItems<T> extends ReadMark {
  readonly items: readonly DecodedItem<T>[]
  /** True when there is nothing beyond the last item. */
  readonly done: boolean
}

/** How far `deletePrefix` goes. */
export interface DeletePrefixOptions {
  /** Most keys of one call, at least 1. Default: 100,000. */
  readonly maxKeys?: number
}

/** What a removal of many keys came to. */
export interface DeletedMany {
  /** Keys that were removed. */
  readonly deleted: number
  /** False: there are more, call it again; or a place was away that may have more. */
  readonly done: boolean
}

/** How a value is set. */
export interface SetOptions {
  /**
   * When the value is gone, Unix milliseconds, at most 2 ** 48 - 1. From then on no read shows it, by the clock of
   * each process, which follows that of the primary; it is removed within three hours. A value that is set
   * again without it stays. Default: it stays.
   */
  readonly expiresAt?: number
}

/** How items are counted. */
export interface CountOptions {
  /**
   * False: no item of this list was appended with `expiresAt`, which saves a look whether one was.
   * Default: true.
   */
  readonly mayExpire?: boolean
}
