/*
 * Physical removal of what is gone by `deletedThrough`. Nothing depends on it: every read leaves
 * gone rows out. Rows that another transaction holds are skipped and left for the next time.
 */
import { IS_APART, LEAST_APART } from './migrations.ts'
import type { Session } from '../connection/session.ts'
import { prepared } from '../connection/statement.ts'
import type { Tables } from '../rows/tables.ts'

/** Rows of one key that one statement removes. */
const SWEEP_ROWS_MAX = 1_000
/** Rows of many keys that one statement removes. */
const SWEEP_TOGETHER_MAX = 10_000

/** Removes gone rows of these keys. Answers with the keys that have more of them. */
export async function sweep(
  session: Session,
  tables: Tables,
  keys: readonly string[],
): Promise<string[]> {
  if (keys.length === 0) return []
  const sorted = [...keys].sort()
  const { rows } = await session.query(prepared(removeSql(tables), [sorted]))
  await session.query(prepared(trimSql(tables), [sorted]))
  const removed = rows.map((row) => ({ key: row['key'] as string, count: Number(row['removed']) }))
  const all = removed.reduce((sum, { count }) => sum + count, 0)
  // Which of them have more was not looked at: all are asked again.
  if (all >= SWEEP_TOGETHER_MAX) return sorted
  return removed.filter(({ count }) => count >= SWEEP_ROWS_MAX).map(({ key }) => key)
}

/** One statement for all keys: many are deleted together, and few of their rows are left elsewhere. */
function removeSql({ keys, items }: Tables): string {
  return `WITH removed AS (DELETE FROM ${items} WHERE ctid = ANY (ARRAY(
      SELECT r.ctid FROM pg_catalog.unnest($1::text[]) AS k(key)
      CROSS JOIN LATERAL (SELECT i.ctid FROM ${items} i
        WHERE i.key = k.key
          AND i.position <= (SELECT o.deleted_through FROM ${keys} o WHERE o.key = k.key)
        LIMIT ${SWEEP_ROWS_MAX} FOR UPDATE SKIP LOCKED) r
      LIMIT ${SWEEP_TOGETHER_MAX})) RETURNING key)
    SELECT key, pg_catalog.count(*) AS removed FROM removed GROUP BY key`
}

/** Items that live on without one of their parts, which stood below the others. */
function trimSql({ keys, items }: Tables): string {
  const keep = (at: string, column: string, gone = 'NULL'): string =>
    `${column} = CASE WHEN i.${at} <= d.deleted_through THEN ${gone} ELSE i.${column} END`
  const columns = [
    ...['appended', 'digest', 'appended_at'].map((column) => keep('appended_at', column)),
    ...['edited', 'edited_digest', 'edited_at', 'edited_of'].map((column) =>
      keep('edited_of', column),
    ),
    ...['removed_digest', 'removed_of'].map((column) => keep('removed_of', column)),
    keep('removed_of', 'removed', 'false'),
  ]
  return `UPDATE ${items} i SET ${columns.join(', ')}
    FROM (SELECT key, deleted_through FROM ${keys}
      WHERE key = ANY ($1::text[]) AND deleted_through IS NOT NULL OFFSET 0) d
    WHERE i.key = d.key AND ${IS_APART} AND ${LEAST_APART} <= d.deleted_through
      AND i.position > d.deleted_through`
}
