import type { JsonText } from '../../../core/json.ts'
import { itemOfParts, type Item } from '../../../core/merge.ts'
import type { Stamp } from '../../../core/stamp.ts'
import { stampOf } from './stamp-bytes.ts'

/** What readers get of a row of `everthread_items`: few columns, for each cell costs. */
export interface ReadRow {
  readonly item: Uint8Array
  readonly id: string | null
  readonly position: Uint8Array
  readonly appended_at: Uint8Array | null
  readonly edited_at: Uint8Array | null
  readonly edited_of: Uint8Array | null
  readonly removed: number
  readonly removed_of: Uint8Array | null
  readonly appended: JsonText | null
  readonly edited: JsonText | null
}

/** A row that stands where its identity says: its position is its identity. */
export type OwnRow = Omit<ReadRow, 'id' | 'position'>

/** What a writer needs to write the row again. */
export interface ItemRow extends ReadRow {
  readonly digest: number | null
  readonly edited_digest: number | null
  readonly removed_digest: number | null
}

export const OWN_COLUMNS =
  'item, appended_at, edited_at, edited_of, removed, removed_of, appended, edited'
export const READ_COLUMNS: string = `id, position, ${OWN_COLUMNS}`
export const ITEM_COLUMNS: string = `${READ_COLUMNS}, digest, edited_digest, removed_digest`

/** What a reader sees. */
export const HAS_VALUE = 'removed = 0 AND (appended IS NOT NULL OR edited IS NOT NULL)'

export function itemOfRow(row: ReadRow): Item {
  return itemAt(row.id ?? stampOf(row.item), stampOf(row.position), row)
}

export function itemOfOwnRow(row: OwnRow): Item {
  const position = stampOf(row.item)
  return itemAt(position, position, row)
}

/** A part whose own position is not stored stands at that of the row. */
function itemAt(id: string, position: Stamp, row: OwnRow): Item {
  const at = (own: Uint8Array | null): Stamp => (own === null ? position : stampOf(own))
  const item = itemOfParts(id, {
    ...(row.appended !== null && { appendedAt: at(row.appended_at), appended: row.appended }),
    ...(row.edited !== null && {
      editedOf: at(row.edited_of),
      editedAt: stampOf(row.edited_at!),
      edited: row.edited,
    }),
    ...(row.removed !== 0 && { removedOf: at(row.removed_of) }),
  })
  // A row that has lost its value is damaged: readers leave it out, and a deep check finds it.
  return item ?? { id, position }
}
