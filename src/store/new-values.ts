/*
 * The one way in for what callers store: everything is checked and written as JSON text before any
 * stamp is made and any place is asked.
 */
import { invalid } from '../core/errors.ts'
import { fieldsOf, reading } from '../core/given.ts'
import { encodeJson, type JsonText } from '../core/json.ts'
import {
  checkArray,
  checkObject,
  checkText,
  KEY_BYTES_MAX,
  MESSAGE_ID_BYTES_MAX,
} from '../core/limits.ts'
import type { AppendOperation, SetOperation } from '../core/operation.ts'
import type { StampClock } from '../core/stamp.ts'

/** An item to append: the id is the caller's or, when left out, made from its position. */
export interface NewItem {
  readonly id?: string
  /** Anything of JSON, at most 4 MiB of it. */
  readonly value: unknown
  /** What messages call the value. Default: `items[0].value` and so on. */
  readonly name?: string
}

/** The same, checked and written. */
export interface EncodedItem {
  readonly id?: string
  readonly value: JsonText
}

/** The items of one group. @throws StorageError `INVALID_ARGUMENT`, naming the item. */
export function encodeItems(items: readonly NewItem[]): readonly EncodedItem[] {
  checkArray('items', items)
  const ids = new Set<string>()
  return items.map((item, i) => {
    const at = `items[${i}]`
    checkObject(at, item)
    const { id, name = `${at}.value`, value: given } = fieldsOf(at, item)
    const value = encodeJson(given, name)
    if (id === undefined) return { value }
    checkText(`${at}.id`, id, MESSAGE_ID_BYTES_MAX)
    if (ids.has(id)) throw invalid('ids must differ within one group')
    ids.add(id)
    return { id, value }
  })
}

/** The operations that append these items, stamped one after another. */
export function appendsOf(
  clock: StampClock,
  key: string,
  items: readonly EncodedItem[],
): AppendOperation[] {
  return items.map(({ id, value }) => {
    const stamp = clock.tick(key)
    const item = { key, id: id ?? stamp, position: stamp, stamp, value }
    return { kind: 'put', change: 'append', ...item }
  })
}

/** The operations that set these values, stamped one after another. */
export function setsOf(clock: StampClock, entries: readonly EncodedEntry[]): SetOperation[] {
  return entries.map(({ key, value }) => ({ kind: 'set', key, value, stamp: clock.tick(key) }))
}

/** A value and its key, checked and written. */
export interface EncodedEntry {
  readonly key: string
  readonly value: JsonText
}

/** The values of one group by their keys. Errors as `encodeItems`. */
export function encodeEntries(
  entries: Iterable<readonly [key: string, value: unknown]>,
): readonly EncodedEntry[] {
  const given: unknown = entries
  if (typeof given !== 'object' || given === null || !(Symbol.iterator in given)) {
    throw invalid('entries must be an iterable of [key, value]')
  }
  const pairs = reading('entries', () => [...entries])
  return pairs.map((pair, i) => {
    checkArray(`entries[${i}]`, pair)
    const [key, value] = pair
    checkText('key', key, KEY_BYTES_MAX)
    return { key, value: encodeJson(value) }
  })
}
