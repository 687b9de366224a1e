import { digestOf } from '../../core/digest.ts'
import type { JsonText } from '../../core/json.ts'
import { operationsOfItem, settleItem, type Item } from '../../core/merge.ts'
import type { Stamp } from '../../core/stamp.ts'
import { itemKeyOf } from './item-key.ts'

/** A row of the items table, in the order of `ITEM_COLUMNS`. */
export type ItemRow = readonly [
  item: string,
  id: string | null,
  position: string,
  appendedAt: string | null,
  appended: string | null,
  digest: number | null,
  editedAt: string | null,
  edited: string | null,
  editedDigest: number | null,
  removed: boolean,
]

/** Name and type of each column of `ItemRow`. */
export const ITEM_COLUMNS: readonly (readonly [name: string, type: string])[] = [
  ['item', 'uuid'],
  ['id', 'text'],
  ['position', 'uuid'],
  ['appended_at', 'uuid'],
  ['appended', 'text'],
  ['digest', 'bigint'],
  ['edited_at', 'uuid'],
  ['edited', 'text'],
  ['edited_digest', 'bigint'],
  ['removed', 'boolean'],
]

/** SQL: the columns that `itemFrom` reads. */
export const ITEM_SELECT = 'item, id, position, appended_at, appended, edited_at, edited, removed'

/**
 * SQL: three columns instead of eight, which is half of the cost of reading a page: the item, its
 * appended value, and the other columns as JSON where they say more than the item's id does.
 */
export const PAGE_SELECT = `item, appended,
  CASE WHEN id IS NULL AND position = item AND appended_at IS NULL AND appended IS NOT NULL
      AND edited_at IS NULL AND NOT removed THEN NULL
    ELSE pg_catalog.json_build_array(id, position, appended_at, edited_at, edited, removed)::text END AS rest`

type Rest = readonly [
  id: string | null,
  position: Stamp,
  appendedAt: Stamp | null,
  editedAt: Stamp | null,
  edited: JsonText | null,
  removed: boolean,
]

/** The item of a row of `PAGE_SELECT`; undefined when all of it is gone by `deletedThrough`. */
export function itemOfPage(
  row: Record<string, unknown>,
  deletedThrough: Stamp | undefined,
): Item | undefined {
  const { item, appended, rest } = row as {
    item: Stamp
    appended: JsonText | null
    rest: string | null
  }
  if (rest === null) {
    if (deletedThrough !== undefined && item <= deletedThrough) return undefined
    return { id: item, position: item, removed: false, appendedAt: item, appended: appended! }
  }
  const [id, position, appendedAt, editedAt, edited, removed] = JSON.parse(rest) as Rest
  const columns = {
    item,
    id,
    position,
    appended_at: appendedAt,
    appended,
    edited_at: editedAt,
    edited,
    removed,
  }
  return itemFrom(columns, deletedThrough)
}

export function rowOf(key: string, item: Item): ItemRow {
  const { item: uuid, text } = itemKeyOf(item.id)
  const { position, appendedAt, appended, editedAt, edited, removed } = item
  let digest: number | null = null
  let editedDigest: number | null = null
  for (const operation of operationsOfItem(key, item)) {
    if (operation.change === 'edit') editedDigest = digestOf(operation)
    else digest = digestOf(operation)
  }
  return [
    uuid,
    text,
    position,
    appendedAt === position ? null : (appendedAt ?? null),
    appended ?? null,
    digest,
    editedAt ?? null,
    edited ?? null,
    editedDigest,
    removed,
  ]
}

/** The item of a row; undefined when all of it is gone by `deletedThrough`. */
export function itemFrom(
  row: Record<string, unknown>,
  deletedThrough: Stamp | undefined,
): Item | undefined {
  const position = row['position'] as Stamp
  const appended = row['appended'] as JsonText | null
  const editedAt = row['edited_at'] as Stamp | null
  return settleItem(
    {
      id: (row['id'] ?? row['item']) as string,
      position,
      removed: row['removed'] as boolean,
      ...(appended !== null && {
        appendedAt: (row['appended_at'] as Stamp | null) ?? position,
        appended,
      }),
      ...(editedAt !== null && { editedAt, edited: row['edited'] as JsonText }),
    },
    deletedThrough,
  )
}
