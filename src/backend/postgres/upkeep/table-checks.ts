import { StorageError } from '../../../core/errors.ts'
import type { Session } from '../connection/session.ts'
import type { Tables } from '../rows/tables.ts'

/** What every table needs: of the items and the hints rows are also deleted. */
const RIGHTS = ['SELECT', 'INSERT', 'UPDATE'] as const

/**
 * Refuses tables on which the promises do not hold: rows that row security hides would be missing in pages
 * that call themselves complete, an unlogged table is emptied by a crash, and without its rights every
 * write would fail and be tried for ever.
 */
export async function checkTables(session: Session, tables: Tables): Promise<void> {
  const { hintCount, items, hints } = tables
  const lacks = RIGHTS.map(
    (right) =>
      `CASE WHEN NOT pg_catalog.has_table_privilege(c.oid, '${right}') THEN '${right}' END`,
  )
  const { rows } = await session.query({
    text: `SELECT c.relname AS table, c.relpersistence = 'u' AS unlogged,
        pg_catalog.row_security_active(c.oid) AS filtered,
        pg_catalog.concat_ws(', ', ${lacks.join(', ')}, CASE WHEN c.oid = ANY ($2::regclass[]::oid[])
          AND NOT pg_catalog.has_table_privilege(c.oid, 'DELETE') THEN 'DELETE' END) AS lacks,
        pg_catalog.has_sequence_privilege($3::regclass, 'USAGE') AS counts
      FROM pg_catalog.unnest($1::regclass[]::oid[]) AS t(oid) JOIN pg_catalog.pg_class c ON c.oid = t.oid ORDER BY 1`,
    values: [namesOf(tables), [items, hints], hintCount],
  })
  for (const { table, unlogged, filtered, lacks: rights, counts } of rows) {
    const refuse = (what: string): never => {
      throw new StorageError('UNSUPPORTED', `PostgreSQL: table ${String(table)} ${what}`)
    }
    if (rights !== '') refuse(`lacks rights for this role: ${String(rights)}`)
    if (counts !== true) refuse(`lacks a right for this role: USAGE on sequence ${hintCount}`)
    if (filtered === true) refuse('has row security, which would hide rows from this role')
    if (unlogged === true) refuse('is UNLOGGED: a crash would empty it')
  }
}

/** Every table, as names that SQL takes. */
export function namesOf({ meta, keys, items, hints, cursors, leases }: Tables): string[] {
  return [meta, keys, items, hints, cursors, leases]
}
