/*
 * The merge of one row into the items table, as core/merge.ts defines it for items: position, the
 * appended value, the edited value and `removed` are registers that merge on their own. Every part
 * is a maximum, so transactions that meet at one row may come in any order.
 */
import { ITEM_COLUMNS } from './item-row.ts'
import type { Tables } from './tables.ts'

const NAMES = ITEM_COLUMNS.map(([name]) => name).join(', ')

/** SQL: rows from `source` (key and the item columns) merged in. `t` is the row that stands. */
export function mergeItemsSql({ items }: Tables, source: string): string {
  return `INSERT INTO ${items} AS t (key, ${NAMES}) ${source} ${mergeOnConflictSql()}`
}

/** SQL: the end of an insert into the items as `t`. */
export function mergeOnConflictSql(): string {
  return `ON CONFLICT (key, item) DO UPDATE SET
      position = GREATEST(t.position, EXCLUDED.position),
      removed = t.removed OR EXCLUDED.removed,
      appended = CASE WHEN ${GONE} THEN NULL WHEN ${APPENDED} THEN EXCLUDED.appended
        ELSE t.appended END,
      appended_at = CASE WHEN ${GONE} THEN NULL ELSE NULLIF(
        CASE WHEN ${APPENDED} THEN ${AT_NEW} WHEN t.appended IS NOT NULL THEN ${AT_OLD} END,
        GREATEST(t.position, EXCLUDED.position)) END,
      digest = CASE WHEN t.removed THEN t.digest
        WHEN EXCLUDED.removed OR ${APPENDED} THEN EXCLUDED.digest ELSE t.digest END,
      edited_at = CASE WHEN ${GONE} THEN NULL WHEN ${EDITED} THEN EXCLUDED.edited_at
        ELSE t.edited_at END,
      edited = CASE WHEN ${GONE} THEN NULL WHEN ${EDITED} THEN EXCLUDED.edited
        ELSE t.edited END,
      edited_digest = CASE WHEN ${GONE} THEN NULL WHEN ${EDITED} THEN EXCLUDED.edited_digest
        ELSE t.edited_digest END
    WHERE EXCLUDED.position > t.position
      OR (EXCLUDED.removed AND NOT t.removed)
      OR (NOT t.removed AND (${APPENDED} OR ${EDITED}))`
}

/** SQL: rows that must be new; those that are not are left alone and not returned. */
export function addItemsSql({ items }: Tables, source: string): string {
  return `INSERT INTO ${items} (key, ${NAMES}) ${source}
    ON CONFLICT (key, item) DO NOTHING RETURNING key, item`
}

const GONE = '(t.removed OR EXCLUDED.removed)'
const AT_NEW = 'COALESCE(EXCLUDED.appended_at, EXCLUDED.position)'
const AT_OLD = 'COALESCE(t.appended_at, t.position)'
const APPENDED = `(EXCLUDED.appended IS NOT NULL
  AND (t.appended IS NULL OR ${AT_NEW} > ${AT_OLD}))`
const EDITED = `(EXCLUDED.edited_at IS NOT NULL
  AND (t.edited_at IS NULL OR EXCLUDED.edited_at > t.edited_at))`
