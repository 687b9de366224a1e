/*
 * The merge of one row into the items table, as core/merge.ts defines it for items: what was appended,
 * edited and removed are parts that merge on their own. Every part is a maximum, so transactions that
 * meet at one row may come in any order. What `deletedThrough` has cut may stand in a row for a while:
 * it loses against all that comes after, and readers leave it out.
 */
import { ITEM_COLUMNS } from '../rows/item-row.ts'
import type { Tables } from '../rows/tables.ts'

const NAMES = ITEM_COLUMNS.map(([name]) => name).join(', ')

/** SQL: rows from `source` (key and the item columns) merged in. `t` is the row that stands. */
export function mergeItemsSql({ items }: Tables, source: string): string {
  return `INSERT INTO ${items} AS t (key, ${NAMES}) ${source} ${mergeOnConflictSql()}`
}

/** SQL: the end of an insert into the items as `t`. */
export function mergeOnConflictSql(): string {
  const pick = (isLeft: string, isNew: string, column: string): string =>
    `CASE WHEN NOT ${isLeft} THEN NULL WHEN ${isNew} THEN EXCLUDED.${column} ELSE t.${column} END`
  return `ON CONFLICT (key, item) DO UPDATE SET
      position = ${POSITION},
      removed = t.removed OR EXCLUDED.removed,
      removed_of = NULLIF(${REMOVED_OF}, ${POSITION}),
      removed_digest = CASE WHEN ${REMOVED} THEN EXCLUDED.removed_digest ELSE t.removed_digest END,
      appended = ${pick(HAS_APPENDED, APPENDED, 'appended')},
      appended_at = CASE WHEN ${HAS_APPENDED} THEN NULLIF(${APPENDED_AT}, ${POSITION}) END,
      digest = ${pick(HAS_APPENDED, APPENDED, 'digest')},
      edited = ${pick(HAS_EDITED, EDITED, 'edited')},
      edited_of = CASE WHEN ${HAS_EDITED} THEN NULLIF(${EDITED_OF}, ${POSITION}) END,
      edited_at = ${pick(HAS_EDITED, EDITED, 'edited_at')},
      edited_digest = ${pick(HAS_EDITED, EDITED, 'edited_digest')}
    WHERE ${APPENDED} OR ${EDITED} OR ${REMOVED}`
}

/** SQL: rows that must be new; those that are not are left alone and not returned. */
export function addItemsSql({ items }: Tables, source: string): string {
  return `INSERT INTO ${items} (key, ${NAMES}) ${source}
    ON CONFLICT (key, item) DO NOTHING RETURNING key, item`
}

/** SQL: the position of a part of a row, or NULL where it has none. */
function placeSql(row: 't' | 'EXCLUDED', isThere: string, apart: string): string {
  return `CASE WHEN ${row}.${isThere} THEN COALESCE(${row}.${apart}, ${row}.position) END`
}

/** SQL: true when the part that comes is there and after the one that stands, if one does. */
function laterSql(arriving: string, current: string): string {
  return `COALESCE(${arriving} > ${current}, ${current} IS NULL AND ${arriving} IS NOT NULL)`
}

const POSITION = 'GREATEST(t.position, EXCLUDED.position)'

const REMOVED_OLD = placeSql('t', 'removed', 'removed_of')
const REMOVED_NEW = placeSql('EXCLUDED', 'removed', 'removed_of')
const REMOVED = laterSql(REMOVED_NEW, REMOVED_OLD)
const REMOVED_OF = `GREATEST(${REMOVED_OLD}, ${REMOVED_NEW})`

const APPENDED_OLD = placeSql('t', 'appended IS NOT NULL', 'appended_at')
const APPENDED_NEW = placeSql('EXCLUDED', 'appended IS NOT NULL', 'appended_at')
const APPENDED = laterSql(APPENDED_NEW, APPENDED_OLD)
const APPENDED_AT = `GREATEST(${APPENDED_OLD}, ${APPENDED_NEW})`

const EDITED_OLD = placeSql('t', 'edited_at IS NOT NULL', 'edited_of')
const EDITED_NEW = placeSql('EXCLUDED', 'edited_at IS NOT NULL', 'edited_of')
/** By the position that the edit belongs to, then by its stamp. */
const EDITED = `COALESCE((${EDITED_NEW}, EXCLUDED.edited_at) > (${EDITED_OLD}, t.edited_at),
  t.edited_at IS NULL AND EXCLUDED.edited_at IS NOT NULL)`
const EDITED_OF = `GREATEST(${EDITED_OLD}, ${EDITED_NEW})`

/** A removal drops the parts up to its own position. */
const HAS_APPENDED = `COALESCE(${APPENDED_AT} > ${REMOVED_OF}, ${REMOVED_OF} IS NULL)`
const HAS_EDITED = `COALESCE(${EDITED_OF} > ${REMOVED_OF}, ${REMOVED_OF} IS NULL)`
