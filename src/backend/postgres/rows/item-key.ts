/*
 * The `item` column: which item of the key a row is, in 16 bytes.
 *
 * An id that is a UUIDv7 in canonical text is stored as that uuid and nothing else, so an item with
 * an id of our own, whose position is its id, needs one index entry and keeps its time order. Any
 * other id is stored as text, and `item` is 0xFF followed by the first 15 bytes of its SHA-256:
 * 120 bits, so that two ids of one key never meet. UUIDv7 that start with 0xFF (after the year
 * 10,000) are hashed too: what is below `HASHED` is always a position or an id that could be one.
 */
import { hash } from 'node:crypto'
import { isStamp } from '../../../core/stamp.ts'

/** The least uuid of a hashed id. */
export const HASHED = 'ff000000-0000-0000-0000-000000000000'

export interface ItemKey {
  readonly item: string
  /** The id as text, or null when `item` is the id. */
  readonly text: string | null
}

/** True for an id that is its own `item`. */
export function isOwnItem(id: string): boolean {
  return isStamp(id) && id < HASHED
}

export function itemKeyOf(id: string): ItemKey {
  if (isOwnItem(id)) return { item: id, text: null }
  const hex = `ff${hash('sha256', id, 'hex').slice(0, 30)}`
  return { item: hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'), text: id }
}
