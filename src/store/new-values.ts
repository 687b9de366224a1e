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
import { checkExpiresAt, withExpiry } from './expiry/expiring-text.ts'

/** Most items of one group that has items that expire: with each goes a note of its own. */
const EXPIRING_ITEMS_MAX = 400
import type { Stamp } from '../core/stamp.ts'
import { checkStamp } from './check-arguments.ts'

/** An item to append: the id is the caller's or, when left out, made from its position. */
export interface NewItem {
  readonly id?: string
  /** Anything of JSON, at most 4 MiB of it. */
  readonly value: unknown
  /**
   * When the item is gone, Unix milliseconds: see `SetOptions`. It is a part of the content: a repeat under
   * the same id must have the same. At most 400 items of one call where one of them has it.
   */
  readonly expiresAt?: number
  /** What messages call the value. Default: `items[0].value` and so on. */
  readonly name?: string
  /** Where it stands, if that is before now: see `groups.stampAfter`. Default: at the end. */
  readonly position?: Stamp
}

/** The same, checked and written. */
export interface EncodedItem {
  readonly id?: string
  readonly value: JsonText
  readonly expiresAt?: number
  readonly position?: Stamp
}

/** The items of one group. @throws StorageError `INVALID_ARGUMENT`, naming the item. */
export function encodeItems(items: readonly NewItem[]): readonly EncodedItem[] {
  checkArray('items', items)
  const ids = new Set<string>()
  return items.map((item, i) => {
    const at = `items[${i}]`
    checkObject(at, item)
    const { id, name = `${at}.value`, value: given, expiresAt, position } = fieldsOf(at, item)
    if (position !== undefined) checkStamp(`${at}.position`, position)
    const text = expiring(`${at}.expiresAt`, encodeJson(given, name), expiresAt)
    const encoded = { ...text, ...(position !== undefined && { position }) }
    if (expiresAt !== undefined && items.length > EXPIRING_ITEMS_MAX) {
      const limit = `at most ${EXPIRING_ITEMS_MAX} where one has expiresAt`
      throw invalid(`items must be ${limit}, got ${items.length}`)
    }
    if (id === undefined) return encoded
    checkText(`${at}.id`, id, MESSAGE_ID_BYTES_MAX)
    if (ids.has(id)) throw invalid('ids must differ within one group')
    ids.add(id)
    return { id, ...encoded }
  })
}

function expiring(
  name: string,
  value: JsonText,
  expiresAt: number | undefined,
): Omit<EncodedItem, 'id'> {
  if (expiresAt === undefined) return { value }
  checkExpiresAt(name, expiresAt)
  return { value: withExpiry(value, expiresAt), expiresAt }
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
