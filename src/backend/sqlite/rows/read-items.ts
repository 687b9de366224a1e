import { byPosition, type Item } from '../../../core/merge.ts'
import { STAMP_MAX, STAMP_MIN, type Stamp } from '../../../core/stamp.ts'
import type { ItemQuery } from '../../replica-backend.ts'
import {
  HAS_VALUE,
  itemOfOwnRow,
  itemOfRow,
  OWN_COLUMNS,
  READ_COLUMNS,
  type OwnRow,
  type ReadRow,
} from './item-row.ts'
import type { SqliteConnection } from '../connection/connection.ts'
import { stampBytes } from './stamp-bytes.ts'

export interface RowPage {
  readonly items: readonly Item[]
  readonly done: boolean
}

/** Identities that no stamp reaches: the range scan must stop before callers' ids. */
const OWN_END = 'ff000000-0000-0000-0000-000000000000' as Stamp

/**
 * One page of a list: the merge of two index scans, each of which stops at the limit. Most rows
 * stand where their identity says; the rest are in a small index of their own.
 */
export function readPage(connection: SqliteConnection, keyId: number, query: ItemQuery): RowPage {
  const { after = STAMP_MIN, before = STAMP_MAX, limit, order, includeRemoved = false } = query
  const ownEnd = before < OWN_END ? before : OWN_END
  const select = <Row>(source: 'own' | 'moved', end: Stamp): Row[] =>
    connection.all<Row>(
      pageSql(source, order, includeRemoved),
      keyId,
      stampBytes(after),
      stampBytes(end),
      limit + 1,
    )
  const own = select<OwnRow>('own', ownEnd).map(itemOfOwnRow)
  const moved = select<ReadRow>('moved', before).map(itemOfRow)
  const items = moved.length === 0 ? own : [...own, ...moved].sort(byPosition)
  if (moved.length > 0 && order === 'newest') items.reverse()
  return { items: items.slice(0, limit), done: items.length <= limit }
}

/** Parameters: key_id, the positions that enclose the page, limit. */
function pageSql(
  source: 'own' | 'moved',
  order: 'newest' | 'oldest',
  includeRemoved: boolean,
): string {
  const column = source === 'own' ? 'item' : 'position'
  const condition = source === 'own' ? 'position = item' : 'position <> item'
  return `
    SELECT ${source === 'own' ? OWN_COLUMNS : READ_COLUMNS} FROM everthread_items
    WHERE key_id = ? AND ${column} > ? AND ${column} < ? AND ${condition}
      ${includeRemoved ? '' : `AND ${HAS_VALUE}`}
    ORDER BY ${column} ${order === 'newest' ? 'DESC' : 'ASC'} LIMIT ?`
}
