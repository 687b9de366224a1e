import type { JsonText } from '../../core/json.ts'
import type { Item } from '../../core/merge.ts'
import type { Stamp } from '../../core/stamp.ts'
import { stampOf } from './stamp-bytes.ts'

/** What readers get of a row of `everthread_items`: few columns, for each cell costs. */
export interface ReadRow {
  readonly item: Uint8Array
  readonly id: string | null
  readonly position: Uint8Array
  readonly appended_at: Uint8Array | null
  readonly edited_at: Uint8Array | null
  readonly removed: number
  readonly appended: JsonText | null
  readonly edited: JsonText | null
}

/** A row that stands where its identity says: its position is its identity. */
export type OwnRow = Omit<ReadRow, 'id' | 'position'>

/** What a writer needs to write the row again. */
export interface ItemRow extends ReadRow {
  readonly digest: number | null
  readonly edited_digest: number | null
}

export const OWN_COLUMNS = 'item, appended_at, edited_at, removed, appended, edited'
export const READ_COLUMNS = 'item, id, position, appended_at, edited_at, removed, appended, edited'
export const ITEM_COLUMNS =
  'item, id, position, appended_at, digest, edited_at, edited_digest, removed, appended, edited'

/** What a reader may see, given a position above `STAMP_MIN`. */
export const HAS_VALUE = 'removed = 0 AND (appended IS NOT NULL OR edited IS NOT NULL)'

export function itemOfRow(row: ReadRow): Item {
  return itemAt(row.id ?? stampOf(row.item), stampOf(row.position), row)
}

export function itemOfOwnRow(row: OwnRow): Item {
  const position = stampOf(row.item)
  return itemAt(position, position, row)
}

function itemAt(id: string, position: Stamp, row: OwnRow): Item {
  if (row.removed !== 0) return { id, position, removed: true }
  return {
    id,
    position,
    removed: false,
    ...(row.appended !== null && {
      appendedAt: row.appended_at === null ? position : stampOf(row.appended_at),
      appended: row.appended,
    }),
    ...(row.edited !== null && { editedAt: stampOf(row.edited_at!), edited: row.edited }),
  }
}
