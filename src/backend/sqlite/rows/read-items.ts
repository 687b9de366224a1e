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
 * stand where their identity says; the rest are in a small index of their own. They are read first: once they
 * fill a page, the others matter only within it. So ids that are stamps of another time than their
 * positions, as in lists of conversations, are never gone through, however many there are.
 */
export function readPage(connection: SqliteConnection, keyId: number, query: ItemQuery): RowPage {
  const { after = STAMP_MIN, before = STAMP_MAX, limit, order, includeRemoved = false } = query
  const select = <Row>(source: 'own' | 'moved', low: Stamp, high: Stamp): Row[] =>
    connection.all<Row>(
      pageSql(source, order, includeRemoved),
      keyId,
      stampBytes(low),
      stampBytes(high),
      limit + 1,
    )
  const moved = select<ReadRow>('moved', after, before).map(itemOfRow)
  const ownEnd = before < OWN_END ? before : OWN_END
  const far = moved[limit]?.position
  const low = far !== undefined && order === 'newest' ? far : after
  const high = far !== undefined && order === 'oldest' && far < ownEnd ? far : ownEnd
  const own = select<OwnRow>('own', low, high).map(itemOfOwnRow)
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
