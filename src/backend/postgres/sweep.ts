/*
 * Physical removal of what is gone by `deletedThrough`. Nothing depends on it: every read leaves
 * gone rows out. Rows that another transaction holds are skipped and left for the next time.
 */
import { ZERO } from './head-sql.ts'
import type { Session } from './session.ts'
import { prepared } from './statement.ts'
import type { Tables } from './tables.ts'

/** Rows of one key that one statement removes. */
export const SWEEP_ROWS_MAX = 1_000

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
        AND NOT i.removed AND (i.edited_at IS NULL OR i.edited_at <=
          (SELECT o.deleted_through FROM ${keys} o WHERE o.key = $1))
      LIMIT ${SWEEP_ROWS_MAX} FOR UPDATE SKIP LOCKED)) RETURNING 1)
    SELECT pg_catalog.count(*) AS removed FROM removed`
}

/** Items that live on without one of their values: an edit after the delete, or before it. */
function trimSql({ keys, items }: Tables): string {
  const d = 'd.deleted_through'
  const isGone = (at: string): string => `${at} <= ${d}`
  const appendGone = isGone('COALESCE(i.appended_at, i.position)')
  const editGone = isGone('i.edited_at')
  return `WITH d AS (SELECT COALESCE(deleted_through, ${ZERO}) AS deleted_through
      FROM ${keys} WHERE key = $1)
    UPDATE ${items} i SET
      appended = CASE WHEN ${appendGone} THEN NULL ELSE i.appended END,
      appended_at = CASE WHEN ${appendGone} THEN NULL ELSE i.appended_at END,
      digest = CASE WHEN ${appendGone} THEN NULL ELSE i.digest END,
      edited = CASE WHEN ${editGone} THEN NULL ELSE i.edited END,
      edited_digest = CASE WHEN ${editGone} THEN NULL ELSE i.edited_digest END,
      edited_at = CASE WHEN ${editGone} THEN NULL ELSE i.edited_at END
    FROM d WHERE i.key = $1 AND i.edited_at IS NOT NULL
      AND ((i.appended IS NOT NULL AND ${appendGone}) OR ${editGone})`
}
