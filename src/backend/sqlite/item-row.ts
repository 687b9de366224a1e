import type { JsonText } from '../../core/json.ts'
import type { Item } from '../../core/merge.ts'
import { stampOf } from './stamp-bytes.ts'

/** One row of `everthread_items`. */
export interface ItemRow {
  readonly item: Uint8Array
  readonly id: string | null
  readonly position: Uint8Array
  readonly appended_at: Uint8Array | null
  readonly digest: number | null
  readonly edited_at: Uint8Array | null
  readonly edited_digest: number | null
  readonly removed: number
  readonly appended: JsonText | null
  readonly edited: JsonText | null
}

export const ITEM_COLUMNS =
  'item, id, position, appended_at, digest, edited_at, edited_digest, removed, appended, edited'

/** What a reader may see, given a position above `STAMP_MIN`. */
export const HAS_VALUE = 'removed = 0 AND (appended IS NOT NULL OR edited IS NOT NULL)'

export function itemOfRow(row: ItemRow): Item {
  const id = row.id ?? stampOf(row.item)
  const position = stampOf(row.position)
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
