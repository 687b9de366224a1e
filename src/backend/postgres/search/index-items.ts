import { itemValue } from '../../../core/merge.ts'
import { numbersOfItem } from '../../../core/search/search-numbers.ts'
import type { Stamp } from '../../../core/stamp.ts'
import type { IndexProgress } from '../../search/search-indexer.ts'
import type { Session } from '../connection/session.ts'
import { prepared } from '../connection/statement.ts'
import { itemFrom, ITEM_SELECT } from '../rows/item-row.ts'
import type { Tables } from '../rows/tables.ts'
import { indexStatements, lockIndex, readState, type BuildState } from './index-tables.ts'

/** Items of one piece of work. */
const ROWS = 250

type Row = Record<string, unknown>

const COLUMNS = ITEM_SELECT.split(', ')
  .map((name) => `i.${name}`)
  .join(', ')

/** Indexes some of what is marked, or of what was there before. */
export async function indexItems(session: Session, tables: Tables): Promise<IndexProgress> {
  const before = await readState(session, tables)
  if (!before.hasMore) return before
  return await session.transaction(async () => {
    await lockIndex(session, tables)
    const marked = await takeMarked(session, tables)
    await writeRows(session, tables, marked)
    const state = await readState(session, tables)
    return state.isBuilt ? state : await build(session, tables, state)
  })
}

async function build(
  session: Session,
  tables: Tables,
  { key, item, indexed, items }: BuildState,
): Promise<IndexProgress> {
  const rows = await nextRows(session, tables, key, item)
  await writeRows(session, tables, rows)
  const isBuilt = rows.length < ROWS
  if (isBuilt) {
    // The caller's deadline is the limit.
    await session.query({ text: 'SET LOCAL statement_timeout = 0' })
    for (const text of indexStatements(tables)) await session.query({ text })
  }
  const last = rows.at(-1)
  await session.query(
    prepared(
      `UPDATE ${tables.searchState} SET built = $1, key = $2, item = $3::uuid, indexed = $4`,
      [isBuilt, last?.['key'] ?? key, last?.['item'] ?? item, indexed + rows.length],
    ),
  )
  return { hasMore: true, isBuilt, indexed: indexed + rows.length, items }
}

/** Takes marks, and reads what they are about at the same moment. */
async function takeMarked(session: Session, tables: Tables): Promise<Row[]> {
  const { keys, items, searchMarks } = tables
  const { rows } = await session.query(
    prepared(
      `WITH m AS (DELETE FROM ${searchMarks} WHERE seq IN (
           SELECT seq FROM ${searchMarks} ORDER BY seq LIMIT ${ROWS}) RETURNING key, item),
         w AS (SELECT DISTINCT key, item FROM m)
       SELECT w.key, w.item AS marked, o.deleted_through AS d, ${COLUMNS} FROM w
       LEFT JOIN ${items} i ON i.key = w.key AND i.item = w.item
       LEFT JOIN ${keys} o ON o.key = w.key`,
      [],
    ),
  )
  return rows
}

async function nextRows(
  session: Session,
  { keys, items }: Tables,
  key: string,
  item: string,
): Promise<Row[]> {
  const { rows } = await session.query(
    prepared(
      `SELECT i.key, i.item AS marked, o.deleted_through AS d, ${COLUMNS} FROM (
         SELECT * FROM ${items} WHERE (key, item) > ($1::text, $2::uuid)
         ORDER BY key, item LIMIT ${ROWS}) i
       LEFT JOIN ${keys} o ON o.key = i.key ORDER BY i.key, i.item`,
      [key, item],
    ),
  )
  return rows
}

/** Writes what the index is to have of these items, and takes out what it is not to have. */
async function writeRows(session: Session, { search }: Tables, rows: Row[]): Promise<void> {
  const gone: [keys: unknown[], items: unknown[]] = [[], []]
  const live: [keys: unknown[], items: unknown[], positions: unknown[], numbers: string[]] = [
    [],
    [],
    [],
    [],
  ]
  for (const row of rows) {
    const { key, marked } = row as { key: string; marked: string }
    const item = row['item'] === null ? undefined : itemFrom(row, (row['d'] ?? undefined) as Stamp)
    const value = item === undefined ? undefined : itemValue(item)
    const numbers = value === undefined ? undefined : numbersOfItem(key, item!.id, value)
    if (numbers === undefined) {
      gone[0].push(key)
      gone[1].push(marked)
      continue
    }
    live[0].push(key)
    live[1].push(marked)
    live[2].push(item!.position)
    live[3].push(`{${numbers.join(',')}}`)
  }
  if (gone[0].length > 0) {
    await session.query(
      prepared(
        `DELETE FROM ${search} s USING unnest($1::text[], $2::uuid[]) AS g(key, item)
         WHERE s.key = g.key AND s.item = g.item`,
        gone,
      ),
    )
  }
  if (live[0].length === 0) return
  await session.query(
    prepared(
      `INSERT INTO ${search} (key, item, position, numbers)
       SELECT l.key, l.item, l.position, l.numbers::int4[]
       FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::text[]) AS l(key, item, position, numbers)
       ON CONFLICT (key, item) DO UPDATE
         SET position = EXCLUDED.position, numbers = EXCLUDED.numbers`,
      live,
    ),
  )
}
