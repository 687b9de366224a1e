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

/** Removes gone rows of these keys. Answers with the keys that have more of them. */
export async function sweep(
  session: Session,
  tables: Tables,
  keys: readonly string[],
): Promise<string[]> {
  const unswept: string[] = []
  for (const key of [...keys].sort()) {
    const { rows } = await session.query(prepared(removeSql(tables), [key]))
    if (Number(rows[0]!['removed']) >= SWEEP_ROWS_MAX) unswept.push(key)
    await session.query(prepared(trimSql(tables), [key]))
  }
  return unswept
}

function removeSql({ keys, items }: Tables): string {
  return `WITH removed AS (DELETE FROM ${items} WHERE ctid = ANY (ARRAY(
      SELECT i.ctid FROM ${items} i
      WHERE i.key = $1 AND i.position <= (SELECT o.deleted_through FROM ${keys} o WHERE o.key = $1)
      LIMIT ${SWEEP_ROWS_MAX} FOR UPDATE SKIP LOCKED)) RETURNING 1)
    SELECT pg_catalog.count(*) AS removed FROM removed`
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
    FROM (SELECT deleted_through FROM ${keys} WHERE key = $1) d
    WHERE i.key = $1 AND ${IS_APART} AND ${LEAST_APART} <= d.deleted_through
      AND i.position > d.deleted_through`
}
