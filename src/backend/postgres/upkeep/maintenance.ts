import type { Session } from '../connection/session.ts'
import { sweep } from './sweep.ts'
import { namesOf } from './table-checks.ts'
import type { Tables } from '../rows/tables.ts'

/** Keys whose gone rows are looked for in one transaction. */
const KEYS_MAX = 100

/** Bytes of each table with its indexes, and its rows as far as the server has counted them. */
export interface TableSize {
  readonly table: string
  readonly bytes: number
  readonly rowsEstimate: number
}

export async function tableSizes(session: Session, tables: Tables): Promise<TableSize[]> {
  const { rows } = await session.query({
    text: `SELECT c.relname AS table, pg_catalog.pg_total_relation_size(c.oid) AS bytes,
        GREATEST(c.reltuples, 0) AS rows
      FROM pg_catalog.unnest($1::regclass[]::oid[]) AS t(oid) JOIN pg_catalog.pg_class c ON c.oid = t.oid ORDER BY 1`,
    values: [namesOf(tables)],
  })
  return rows.map((row) => ({
    table: row['table'] as string,
    bytes: Number(row['bytes']),
    rowsEstimate: Number(row['rows']),
  }))
}

/** A page of cleared keys above `after` that still have gone rows. */
export async function unsweptKeys(
  session: Session,
  { keys, items }: Tables,
  after: string,
): Promise<string[]> {
  const { rows } = await session.query({
    text: `SELECT o.key FROM ${keys} o
      WHERE o.deleted_through IS NOT NULL AND o.key > $1 AND EXISTS (SELECT 1 FROM ${items} i
        WHERE i.key = o.key AND LEAST(i.position, i.appended_at, i.edited_of, i.removed_of)
          <= o.deleted_through)
      ORDER BY o.key LIMIT ${KEYS_MAX}`,
    values: [after],
  })
  return rows.map((row) => row['key'] as string)
}

/** Removes the gone rows of one key, at most `SWEEP_ROWS_MAX`; true when there are more. */
export async function sweepKey(session: Session, tables: Tables, key: string): Promise<boolean> {
  const unswept = await session.transaction(() => sweep(session, tables, [key]))
  return unswept.length > 0
}

/**
 * Frees the space of removed rows and refreshes the planner's statistics. It may take long: in a session of
 * ours the caller's deadline is the limit, in any other that of its statements too.
 */
export async function vacuum(session: Session, tables: Tables, hasIndex: boolean): Promise<void> {
  const { search, searchMarks } = tables
  for (const table of [...namesOf(tables), ...(hasIndex ? [search, searchMarks] : [])])
    await session.queryAlone({ text: `VACUUM (ANALYZE) ${table}` })
}
