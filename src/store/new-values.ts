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
import type { Stamp } from '../core/stamp.ts'
import { checkStamp } from './check-arguments.ts'

/** An item to append: the id is the caller's or, when left out, made from its position. */
export interface NewItem {
  readonly id?: string
  /** Anything of JSON, at most 4 MiB of it. */
  readonly value: unknown
  /** What messages call the value. Default: `items[0].value` and so on. */
  readonly name?: string
  /** Where it stands, if that is before now: see `changes.stampAfter`. Default: at the end. */
  readonly position?: Stamp
}

/** The same, checked and written. */
export interface EncodedItem {
  readonly id?: string
  readonly value: JsonText
  readonly position?: Stamp
}

/** The items of one group. @throws StorageError `INVALID_ARGUMENT`, naming the item. */
export function encodeItems(items: readonly NewItem[]): readonly EncodedItem[] {
  checkArray('items', items)
  const ids = new Set<string>()
  return items.map((item, i) => {
    const at = `items[${i}]`
    checkObject(at, item)
    const { id, name = `${at}.value`, value: given, position } = fieldsOf(at, item)
    if (position !== undefined) checkStamp(`${at}.position`, position)
    const written = { value: encodeJson(given, name), ...(position !== undefined && { position }) }
    if (id === undefined) return written
    checkText(`${at}.id`, id, MESSAGE_ID_BYTES_MAX)
    if (ids.has(id)) throw invalid('ids must differ within one group')
    ids.add(id)
    return { ...written, id }
  })
}

/** Several values by their keys: an object, or pairs such as those of a `Map`. */
export type Entries =
  Readonly<Record<string, unknown>> | Iterable<readonly [key: string, value: unknown]>

/** The values of one group by their keys. Errors as `encodeItems`. */
export function encodeEntries(
  entries: Entries,
): readonly { readonly key: string; readonly value: JsonText }[] {
  const given: unknown = entries
  if (typeof given !== 'object' || given === null) {
    throw invalid('entries must be an object, or an iterable of [key, value]')
  }
  const pairs = reading('entries', () =>
    Symbol.iterator in given ? [...(given as Iterable<unknown>)] : Object.entries(given),
  )
  return pairs.map((pair, i) => {
    checkArray(`entries[${i}]`, pair)
    const [key, value] = pair
    checkText('key', key, KEY_BYTES_MAX)
    return { key, value: encodeJson(value) }
  })
}
