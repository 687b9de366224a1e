import { digestOf } from '../../../core/digest.ts'
import type { JsonText } from '../../../core/json.ts'
import {
  isRemoved,
  itemOfParts,
  operationsOfItem,
  withoutCleared,
  type Item,
} from '../../../core/merge.ts'
import type { PutOperation } from '../../../core/operation.ts'
import type { Stamp } from '../../../core/stamp.ts'
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
  editedOf: string | null,
  edited: string | null,
  editedDigest: number | null,
  removed: boolean,
  removedOf: string | null,
  removedDigest: number | null,
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
  ['edited_of', 'uuid'],
  ['edited', 'text'],
  ['edited_digest', 'bigint'],
  ['removed', 'boolean'],
  ['removed_of', 'uuid'],
  ['removed_digest', 'bigint'],
]

/** SQL: the columns that `itemFrom` reads. */
export const ITEM_SELECT =
  'item, id, position, appended_at, appended, edited_at, edited_of, edited, removed, removed_of'

/**
 * SQL: three columns instead of ten, which is half of the cost of reading a page: the item, its
 * appended value, and the other columns as JSON where they say more than the item's id does.
 */
export const PAGE_SELECT = `item, appended,
  CASE WHEN id IS NULL AND position = item AND appended_at IS NULL AND appended IS NOT NULL
      AND edited_at IS NULL AND NOT removed THEN NULL
    ELSE pg_catalog.json_build_array(id, position, appended_at, edited_at, edited_of, edited, removed,
      removed_of)::text END AS rest`

type Rest = readonly [
  id: string | null,
  position: Stamp,
  appendedAt: Stamp | null,
  editedAt: Stamp | null,
  editedOf: Stamp | null,
  edited: JsonText | null,
  removed: boolean,
  removedOf: Stamp | null,
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
    return { id: item, position: item, appendedAt: item, appended: appended! }
  }
  const [id, position, appendedAt, editedAt, editedOf, edited, removed, removedOf] = JSON.parse(
    rest,
  ) as Rest
  const columns = {
    item,
    id,
    position,
    appended_at: appendedAt,
    appended,
    edited_at: editedAt,
    edited_of: editedOf,
    edited,
    removed,
    removed_of: removedOf,
  }
  return itemFrom(columns, deletedThrough)
}

export function rowOf(key: string, item: Item): ItemRow {
  const { item: uuid, text } = itemKeyOf(item.id)
  const { position, appendedAt, appended, editedAt, editedOf, edited, removedOf } = item
  const apart = (own: Stamp | undefined): Stamp | null => (own === position ? null : (own ?? null))
  const digests: Partial<Record<PutOperation['change'], number>> = {}
  for (const operation of operationsOfItem(key, item)) {
    digests[operation.change] = digestOf(operation)
  }
  return [
    uuid,
    text,
    position,
    apart(appendedAt),
    appended ?? null,
    digests.append ?? null,
    editedAt ?? null,
    apart(editedOf),
    edited ?? null,
    digests.edit ?? null,
    isRemoved(item),
    apart(removedOf),
    digests.remove ?? null,
  ]
}

/** The item of a row; undefined when all of it is gone by `deletedThrough`. */
export function itemFrom(
  row: Record<string, unknown>,
  deletedThrough: Stamp | undefined,
): Item | undefined {
  const position = row['position'] as Stamp
  const at = (name: string): Stamp => (row[name] as Stamp | null) ?? position
  const appended = row['appended'] as JsonText | null
  const editedAt = row['edited_at'] as Stamp | null
  const item = itemOfParts((row['id'] ?? row['item']) as string, {
    ...(appended !== null && { appendedAt: at('appended_at'), appended }),
    ...(editedAt !== null && {
      editedOf: at('edited_of'),
      editedAt,
      edited: row['edited'] as JsonText,
    }),
    ...(row['removed'] === true && { removedOf: at('removed_of') }),
  })
  return item === undefined ? undefined : withoutCleared(item, deletedThrough)
}
