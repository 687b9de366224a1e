/*
 * The index of texts, which is made when it is asked for:
 *
 *   search         of each item its numbers (`core/search/search-numbers.ts`), with a GIN index, and its position
 *   search_marks   items that were written since they were indexed. Triggers leave them, whoever writes, so
 *                  that an older release or a tool keeps the index right as well
 *   search_state   how far it was built, of the items that were there before it
 *
 * A mark has a number of its own: one that is left while an older one is worked off stays.
 */
import { StorageError } from '../../../core/errors.ts'
import { STAMP_MIN } from '../../../core/stamp.ts'
import type { IndexProgress } from '../../search/search-indexer.ts'
import type { Session } from '../connection/session.ts'
import type { Ask } from '../read/ranges.ts'
import { prepared } from '../connection/statement.ts'
import type { Tables } from '../rows/tables.ts'

/** How far the index was built. */
export interface BuildState extends IndexProgress {
  /** The last item that was looked at. */
  readonly key: string
  readonly item: string
}

const EVENTS = [
  ['added', 'INSERT', 'NEW'],
  ['changed', 'UPDATE', 'NEW'],
  ['gone', 'DELETE', 'OLD'],
] as const

function createStatements(tables: Tables): readonly string[] {
  const { schema, prefix, items, search, searchMarks, searchState } = tables
  const mark = `"${schema}"."${prefix}search_mark"`
  const empty = `"${schema}"."${prefix}search_empty"`
  const body = (sql: string): string => `RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog AS $$ BEGIN ${sql}; RETURN NULL; END $$`
  return [
    `CREATE TABLE ${search} (key text COLLATE "C" NOT NULL, item uuid NOT NULL,
       position uuid NOT NULL, numbers int4[] NOT NULL, PRIMARY KEY (key, item))`,
    `CREATE TABLE ${searchMarks} (seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
       key text COLLATE "C" NOT NULL, item uuid NOT NULL)`,
    `CREATE TABLE ${searchState} (id int PRIMARY KEY CHECK (id = 1), built boolean NOT NULL,
       key text COLLATE "C" NOT NULL, item uuid NOT NULL, indexed bigint NOT NULL,
       items bigint NOT NULL)`,
    `CREATE OR REPLACE FUNCTION ${mark}() ${body(`
       INSERT INTO ${searchMarks} (key, item) SELECT w.key, w.item FROM written w
       WHERE w.key LIKE 'chat/%' OR w.key LIKE 'record/%'`)}`,
    findFunction(tables),
    `CREATE OR REPLACE FUNCTION ${empty}() ${body(`DELETE FROM ${search}`)}`,
    ...EVENTS.map(
      ([name, event, rows]) => `CREATE TRIGGER "${prefix}search_${name}" AFTER ${event} ON ${items}
         REFERENCING ${rows} TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION ${mark}()`,
    ),
    `CREATE TRIGGER "${prefix}search_emptied" AFTER TRUNCATE ON ${items}
       FOR EACH STATEMENT EXECUTE FUNCTION ${empty}()`,
    // No row is written from here to the commit: what is there now is what has to be built.
    `INSERT INTO ${searchState} SELECT 1, NOT EXISTS (SELECT 1 FROM ${items}), '', '${STAMP_MIN}', 0,
       (SELECT GREATEST(c.reltuples, 0)::bigint FROM pg_catalog.pg_class c
        WHERE c.oid = '${items}'::regclass)`,
  ]
}

/**
 * The items with all numbers, latest first. As a function, because a GIN index is read by bitmaps, and its
 * rows are sorted, both of which sessions turn off; it plans anew each time, because the best way depends on how frequent the words are. The
 * operator has its schema: the extension intarray has one of the same name, which no such index helps.
 */
function findFunction({ schema, prefix, search }: Tables): string {
  return `CREATE OR REPLACE FUNCTION "${schema}"."${prefix}search_find"(int4[], uuid, uuid, int)
     RETURNS TABLE (key text, item uuid, "position" uuid) LANGUAGE plpgsql STABLE ROWS 50
     SET search_path = pg_catalog SET enable_bitmapscan = on SET enable_sort = on AS $$ BEGIN RETURN QUERY EXECUTE
     'SELECT s.key, s.item, s.position FROM ${search} s
      WHERE s.numbers OPERATOR(pg_catalog.@>) $1 AND s.position < $2 AND s.position > $3
      ORDER BY s.position DESC LIMIT $4' USING $1, $2, $3, $4; END $$`
}

/** The indexes by which it is searched: made when all rows are there, which is many times faster. */
export function indexStatements({ prefix, search }: Tables): readonly string[] {
  return [
    `CREATE INDEX IF NOT EXISTS "${prefix}search_numbers" ON ${search}
       USING gin (numbers) WITH (fastupdate = off)`,
    `CREATE INDEX IF NOT EXISTS "${prefix}search_position" ON ${search} (position)`,
    `ANALYZE ${search}`,
  ]
}

/** Where the index stands; undefined: there is none. */
export async function readProgress(
  session: Session,
  tables: Tables,
): Promise<IndexProgress | undefined> {
  return (await hasIndex(session, tables)) ? await readState(session, tables) : undefined
}

/** Where an index stands that is there. */
export async function readState(session: Session, tables: Tables): Promise<BuildState> {
  const { rows } = await session.query(
    prepared(
      `SELECT built, key, item, indexed, items,
         EXISTS (SELECT 1 FROM ${tables.searchMarks}) AS marks FROM ${tables.searchState}`,
      [],
    ),
  )
  const row = rows[0] ?? {}
  const isBuilt = row['built'] === true
  return {
    hasMore: !isBuilt || row['marks'] === true,
    isBuilt,
    indexed: Number(row['indexed'] ?? 0),
    items: Number(row['items'] ?? 0),
    key: (row['key'] as string | null | undefined) ?? '',
    item: (row['item'] as string | null | undefined) ?? STAMP_MIN,
  }
}

/** Makes the index where there is none, and says where it stands. */
export async function makeIndex(
  session: Session,
  tables: Tables,
  mayCreate: boolean,
): Promise<IndexProgress | undefined> {
  if (!(await hasIndex(session, tables))) {
    if (!mayCreate) {
      const text = 'the database has no index of texts, which search asks for: run migrate()'
      throw new StorageError('UNSUPPORTED', text)
    }
    await session.transaction(async () => {
      await lockIndex(session, tables)
      if (await hasIndex(session, tables)) return
      for (const text of createStatements(tables)) await session.query({ text })
      const { isBuilt } = await readState(session, tables)
      if (isBuilt) for (const text of indexStatements(tables)) await session.query({ text })
    })
  }
  return await readState(session, tables)
}

/** True when every change of an item leaves its mark. */
export async function hasTriggers(ask: Ask, { items, prefix }: Tables): Promise<boolean> {
  const names = [...EVENTS.map(([name]) => name), 'emptied'].map(
    (name) => `${prefix}search_${name}`,
  )
  const { rows } = await ask(
    prepared(
      `SELECT pg_catalog.count(*) AS count FROM pg_catalog.pg_trigger
       WHERE tgrelid = $1::regclass AND tgname = ANY ($2::text[]) AND tgenabled <> 'D'`,
      [items, names],
    ),
  )
  return Number(rows[0]?.['count']) === names.length
}

/** Begins again from the items: what is in the index cannot be relied on. */
export async function renewIndex(session: Session, tables: Tables): Promise<void> {
  const { items, prefix, search, searchMarks, searchState } = tables
  await session.transaction(async () => {
    await lockIndex(session, tables)
    for (const name of [...EVENTS.map(([event]) => event), 'emptied']) {
      await session.query({ text: `DROP TRIGGER IF EXISTS "${prefix}search_${name}" ON ${items}` })
    }
    await session.query({ text: `DROP TABLE ${search}, ${searchMarks}, ${searchState}` })
    for (const text of createStatements(tables)) await session.query({ text })
  })
}

/** One at a time changes the index: what a slow one had read must not stand behind what a quick one wrote. */
export async function lockIndex(session: Session, { schema, prefix }: Tables): Promise<void> {
  const name = `everthread search ${schema}.${prefix}`
  await session.query({
    text: 'SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended($1, 0::bigint))',
    values: [name],
  })
}

/** The table that is made last. */
async function hasIndex(session: Session, { schema, prefix }: Tables): Promise<boolean> {
  const { rows } = await session.query({
    text: `SELECT 1 FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = $1 AND c.relname = $2`,
    values: [schema, `${prefix}search_state`],
  })
  return rows.length > 0
}
