/*
 * The index of texts, which is made when it is asked for:
 *
 *   everthread_search         FTS5 without the texts: of each item its numbers (`core/search/search-numbers.ts`), as
 *                             words of base 36, and not where in the text they stood
 *   everthread_search_rows    which item a row of it is; `place` sorts as positions do
 *   everthread_search_marks   items that were written since they were indexed. Triggers leave them, whoever
 *                             writes, so that an older release or a tool keeps the index right as well
 *   everthread_search_state   how far it was built, of the items that were there before it
 */
import { messageOf, StorageError } from '../../../core/errors.ts'
import { isIndexedSql } from '../../../core/search/indexed-texts.ts'
import type { DamagedPart } from '../../replica-backend.ts'
import type { IndexProgress } from '../../search/search-indexer.ts'
import type { SqliteConnection } from '../connection/connection.ts'
import { HAS_VALUE } from '../rows/item-row.ts'
import type { PartsPage } from '../upkeep/parts.ts'

const MARK = (row: string): string =>
  `BEGIN INSERT INTO everthread_search_marks VALUES (${row}) ON CONFLICT DO NOTHING; END`

/** Each by its name. */
const TRIGGERS: Readonly<Record<string, string>> = {
  everthread_search_added: `AFTER INSERT ON everthread_items ${MARK('NEW.row_id')}`,
  everthread_search_changed: `AFTER UPDATE ON everthread_items ${MARK('NEW.row_id')}`,
  everthread_search_gone: `AFTER DELETE ON everthread_items ${MARK('OLD.row_id')}`,
}
const TABLES = `
  CREATE VIRTUAL TABLE everthread_search USING fts5(
    numbers, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii');
  CREATE TABLE everthread_search_rows (
    place INTEGER PRIMARY KEY,
    row_id INTEGER NOT NULL UNIQUE
  ) STRICT;
  CREATE TABLE everthread_search_marks (row_id INTEGER PRIMARY KEY) STRICT;
  CREATE TABLE everthread_search_state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    next INTEGER NOT NULL,
    last INTEGER NOT NULL
  ) STRICT;`
const BEGIN = `
  INSERT INTO everthread_search_state
  SELECT 1, 0, coalesce((SELECT max(row_id) FROM everthread_items), 0)`
const STATE = `
  SELECT next, last, EXISTS (SELECT 1 FROM everthread_search_marks) AS marks
  FROM everthread_search_state`
const HAS = "SELECT count(*) AS count FROM sqlite_schema WHERE name = 'everthread_search_state'"
const HAS_TRIGGERS = `
  SELECT count(*) AS count FROM sqlite_schema
  WHERE type = 'trigger' AND name LIKE 'everthread\\_search\\_%' ESCAPE '\\'`
/** Rows that one step of a check goes through. */
const CHECKED_ROWS = 10_000
const INDEX = 'everthread_search'
const LAST_ROW = 'SELECT max(row_id) AS last FROM everthread_items'
const ADD_MARK = 'INSERT INTO everthread_search_marks VALUES (?) ON CONFLICT DO NOTHING'
const LACKING = `
  SELECT i.row_id, k.key FROM everthread_items i JOIN everthread_keys k ON k.key_id = i.key_id
  WHERE i.row_id > ?1 AND i.row_id <= ?2 AND ${HAS_VALUE}
    AND ${isIndexedSql('k.key', "i.id = 'title'")}
    AND NOT EXISTS (SELECT 1 FROM everthread_search_rows r WHERE r.row_id = i.row_id)
    AND NOT EXISTS (SELECT 1 FROM everthread_search_marks m WHERE m.row_id = i.row_id)`
const DROP = ['search', 'search_rows', 'search_marks', 'search_state'].map(
  (name) => `DROP TABLE IF EXISTS everthread_${name}`,
)

/** Where the index stands; undefined: there is none. */
export function readProgress(connection: SqliteConnection): IndexProgress | undefined {
  if (!hasIndex(connection)) return undefined
  const state = connection.get<{ next: number; last: number; marks: number }>(STATE)
  if (state === undefined) return undefined
  const { next, last, marks } = state
  const isBuilt = next >= last
  return { hasMore: !isBuilt || marks !== 0, isBuilt, indexed: next, items: last }
}

export function hasIndex(connection: SqliteConnection): boolean {
  return connection.get<{ count: number }>(HAS)!.count > 0
}

/** True when every change of an item leaves its mark. */
function hasTriggers(connection: SqliteConnection): boolean {
  const count = Object.keys(TRIGGERS).length
  return connection.get<{ count: number }>(HAS_TRIGGERS)!.count === count
}

/**
 * Makes the index where there is none, and says where it stands. What was there before is indexed later.
 *
 * @throws StorageError `UNSUPPORTED` without FTS5 of 3.43.
 */
export function makeIndex(connection: SqliteConnection): IndexProgress | undefined {
  if (!hasIndex(connection)) create(connection)
  return readProgress(connection)
}

/** The trigger that is lost: what was changed since is not in the index. */
export function checkIndex(connection: SqliteConnection): readonly DamagedPart[] {
  return hasIndex(connection) && !hasTriggers(connection) ? [{ name: INDEX }] : []
}

/** Begins again from the items where a trigger was lost. */
export function mendIndex(connection: SqliteConnection): void {
  if (checkIndex(connection).length > 0) renewIndex(connection)
}

/** Items of some rows that the index lacks, though nothing says that it does. */
export function checkIndexed(connection: SqliteConnection, after: number): PartsPage {
  const rows = lackingRows(connection, after)
  const parts = rows.map(({ key }): DamagedPart => ({ name: INDEX, key }))
  return { parts, ...nextAfter(connection, after) }
}

/** Marks them, and returns where to go on. */
export function mendIndexed(connection: SqliteConnection, after: number): number | undefined {
  for (const { row_id: id } of lackingRows(connection, after)) connection.run(ADD_MARK, id)
  return nextAfter(connection, after).next
}

function lackingRows(
  connection: SqliteConnection,
  after: number,
): { row_id: number; key: string }[] {
  const progress = readProgress(connection)
  return progress?.isBuilt === true ? connection.all(LACKING, after, after + CHECKED_ROWS) : []
}

function nextAfter(connection: SqliteConnection, after: number): { readonly next?: number } {
  const { last } = connection.get<{ last: number | null }>(LAST_ROW)!
  const next = after + CHECKED_ROWS
  return hasIndex(connection) && next < (last ?? 0) ? { next } : {}
}

function renewIndex(connection: SqliteConnection): void {
  for (const sql of DROP) connection.exec(sql)
  create(connection)
}

function create(connection: SqliteConnection): void {
  try {
    connection.exec(TABLES)
  } catch (error) {
    if (!/fts5|contentless_delete/i.test(messageOf(error))) throw error
    const text = `this SQLite has no FTS5 of 3.43 or newer, which search needs: ${messageOf(error)}`
    throw new StorageError('UNSUPPORTED', text, { cause: error })
  }
  for (const [name, sql] of Object.entries(TRIGGERS)) {
    connection.exec(`CREATE TRIGGER IF NOT EXISTS ${name} ${sql}`)
  }
  connection.run(BEGIN)
}
