/*
 * Whether all that reads and comparisons go by fits the rows of the items, and how it is made to.
 */
import type { Stamp } from '../../../core/stamp.ts'
import { hasTriggers, renewIndex } from '../search/index-tables.ts'
import { markUnindexed, unindexed } from '../search/unindexed.ts'
import type { DamagedPart } from '../../replica-backend.ts'
import { renewIdentitySql } from './guards.ts'
import { coarseSql, listHeadSql, ZERO } from '../rows/head-sql.ts'
import { isClearWhole } from '../rows/key-row.ts'
import type { PgStatement } from '../connection/pg-types.ts'
import type { Ask } from '../read/ranges.ts'
import type { Session } from '../connection/session.ts'
import { prepared } from '../connection/statement.ts'
import type { Tables } from '../rows/tables.ts'

/** Keys of one page. */
const PAGE_KEYS = 500

/** Runs with one connection, within the deadline of one step. */
export type Step = <T>(work: (session: Session) => Promise<T>) => Promise<T>

type Row = Record<string, unknown>

/** What does not fit: a few probes of an index for each key. */
export async function* damagedParts(
  ask: Ask,
  tables: Tables,
  index: boolean,
): AsyncGenerator<DamagedPart> {
  const name = tables.keys
  if (index && !(await hasTriggers(ask, tables))) yield { name: tables.search }
  for await (const rows of pages(ask, (after) => ownersStatement(tables, after))) {
    for (const { key, lost } of rows) if (lost === true) yield { name, key: key as string }
  }
  for await (const rows of pages(ask, (after) => keysStatement(tables, after))) {
    for (const row of rows) {
      const isWhole = row['fits'] === true && row['has_register'] !== null && hasWholeClear(row)
      if (!isWhole) yield { name, key: row['key'] as string }
    }
    if (index) yield* unindexed(ask, tables, rows)
  }
}

/** Makes the rows of keys fit the items; before that nobody takes the database for complete. */
export async function mendParts(step: Step, tables: Tables, index: boolean): Promise<void> {
  await step((session) => session.write(prepared(renewIdentitySql(tables), [])))
  const ask: Ask = (statement) => step((session) => session.query(statement))
  if (index && !(await hasTriggers(ask, tables))) {
    await step((session) => renewIndex(session, tables))
  }
  for await (const rows of pages(ask, (after) => ownersStatement(tables, after))) {
    const lost = rows.filter((row) => row['lost'] === true).map((row) => row['key'])
    if (lost.length > 0) await step((session) => session.write(addStatement(tables, lost)))
  }
  for await (const rows of pages(ask, (after) => keysStatement(tables, after))) {
    const some = rows.map((row) => row['key'])
    const clears = rows.filter((row) => !hasWholeClear(row)).map((row) => row['key'])
    await step((session) =>
      session.transaction(async () => {
        if (clears.length > 0) await session.query(dropClearsStatement(tables, clears))
        await session.query(dropRegistersStatement(tables, some))
        await session.query(touchStatement(tables, some))
        if (index) await session.query(markUnindexed(tables, rows))
      }),
    )
  }
}

/** Pages of rows with a key each, in the order of keys. */
async function* pages(
  ask: Ask,
  statement: (after: string) => PgStatement,
): AsyncGenerator<readonly Row[]> {
  let after = ''
  for (;;) {
    const { rows } = await ask(statement(after))
    yield rows
    if (rows.length < PAGE_KEYS) return
    after = rows.at(-1)!['key'] as string
  }
}

function hasWholeClear(row: Row): boolean {
  const through = (row['deleted_through'] ?? undefined) as Stamp | undefined
  return isClearWhole(row['key'] as string, through, row['deleted_digest'] ?? undefined)
}

/** From one key of the items to the next, whatever there is of each. */
function ownersStatement({ keys, items }: Tables, after: string): PgStatement {
  const next = (key: string): string =>
    `(SELECT i.key FROM ${items} i WHERE i.key > ${key} ORDER BY i.key LIMIT 1)`
  return prepared(
    `WITH RECURSIVE owners AS (
       SELECT ${next('$1::text')} AS key UNION ALL
       SELECT ${next('w.key')} FROM owners w WHERE w.key IS NOT NULL)
     SELECT w.key, NOT EXISTS (SELECT 1 FROM ${keys} o WHERE o.key = w.key) AS lost
     FROM owners w WHERE w.key IS NOT NULL LIMIT ${PAGE_KEYS}`,
    [after],
  )
}

/** `has_register` is NULL where a part of the register is gone. */
function keysStatement(tables: Tables, after: string): PgStatement {
  return prepared(
    `SELECT o.key, o.deleted_through, o.deleted_digest,
       CASE pg_catalog.num_nulls(o.register_stamp, o.register_value, o.register_digest)
         WHEN 0 THEN true WHEN 3 THEN false END AS has_register,
       o.touched >= ${coarseSql(topSql(tables))} AS fits
     FROM ${tables.keys} o WHERE o.key > $1::text ORDER BY o.key LIMIT ${PAGE_KEYS}`,
    [after],
  )
}

/** SQL: the greatest stamp of the key `o`. */
function topSql(tables: Tables): string {
  const d = `COALESCE(o.deleted_through, ${ZERO})`
  return `GREATEST(${d}, o.register_stamp, ${listHeadSql(tables, 'o.key', d)})`
}

function addStatement({ keys }: Tables, names: readonly unknown[]): PgStatement {
  return prepared(
    `INSERT INTO ${keys} (key, touched) SELECT w.key, ${ZERO} FROM pg_catalog.unnest($1::text[]) AS w(key)
     ON CONFLICT (key) DO NOTHING`,
    [names],
  )
}

/** A clear or a register of which a part is wrong is of no use: all of it comes back from elsewhere. */
function dropClearsStatement({ keys }: Tables, names: readonly unknown[]): PgStatement {
  return prepared(
    `UPDATE ${keys} SET deleted_through = NULL, deleted_digest = NULL WHERE key = ANY ($1::text[])`,
    [names],
  )
}

function dropRegistersStatement({ keys }: Tables, names: readonly unknown[]): PgStatement {
  return prepared(
    `UPDATE ${keys} SET register_stamp = NULL, register_value = NULL, register_digest = NULL
     WHERE key = ANY ($1::text[])
       AND pg_catalog.num_nulls(register_stamp, register_value, register_digest) IN (1, 2)`,
    [names],
  )
}

function touchStatement(tables: Tables, names: readonly unknown[]): PgStatement {
  return prepared(
    `UPDATE ${tables.keys} k SET touched = r.top
     FROM (SELECT o.key, ${topSql(tables)} AS top FROM ${tables.keys} o
       WHERE o.key = ANY ($1::text[]) OFFSET 0) r
     WHERE k.key = r.key AND k.touched < ${coarseSql('r.top')}`,
    [names],
  )
}
