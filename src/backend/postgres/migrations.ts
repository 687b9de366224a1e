import { randomUUID } from 'node:crypto'
import { StorageError } from '../../core/errors.ts'
import { listHeadSql, ZERO } from './head-sql.ts'
import type { Session } from './session.ts'
import type { Tables } from './tables.ts'

/** The schema version that this code reads and writes. */
export const SCHEMA_VERSION = 3

/** Each takes the schema from the version before to its own number, counted from 1. */
const MIGRATIONS: readonly ((tables: Tables) => readonly string[])[] = [
  createTables,
  createLeases,
  touchAnew,
]

/** What each of them does, for people. */
export const MIGRATION_TITLES: readonly string[] = [
  'tables of keys, items, hints and cursors',
  'table of leases',
  'touched: at most a second behind the latest item instead of ten',
]

/*
 * keys: one row a key. `touched` is at most `TOUCHED_LAG_MS` older than the greatest stamp of the key,
 * so that an append to a busy one normally writes nothing here. Values are text exactly as given,
 * never jsonb.
 *
 * items: one row an item. appended_at is NULL when it is the position. What lies at or below the
 * key's deleted_through is gone: every read leaves it out, and it is removed when convenient,
 * because an append that was under way may arrive after the delete.
 *
 * An append with an id of our own is in one index only, the primary key; items whose position is not
 * their id are in a second one, edits in a third.
 */
function createTables({
  prefix,
  keys,
  items,
  hints,
  hintCount,
  cursors,
}: Tables): readonly string[] {
  return [
    `CREATE TABLE ${keys} (
       key text COLLATE "C" PRIMARY KEY,
       touched uuid NOT NULL,
       deleted_through uuid,
       deleted_digest bigint,
       register_stamp uuid,
       register_value text,
       register_digest bigint)`,
    `CREATE INDEX "${prefix}keys_touched" ON ${keys} (touched, key)`,
    `CREATE INDEX "${prefix}keys_deleted" ON ${keys} (key) WHERE deleted_through IS NOT NULL`,
    `CREATE TABLE ${items} (
       key text COLLATE "C" NOT NULL,
       item uuid NOT NULL,
       id text,
       position uuid NOT NULL,
       appended_at uuid,
       appended text,
       digest bigint,
       edited_at uuid,
       edited text,
       edited_digest bigint,
       removed boolean NOT NULL,
       PRIMARY KEY (key, item))`,
    `CREATE INDEX "${prefix}items_moved" ON ${items} (key, position) WHERE position <> item`,
    `CREATE INDEX "${prefix}items_edited" ON ${items} (key, edited_at)
       WHERE edited_at IS NOT NULL`,
    `CREATE INDEX "${prefix}items_appended" ON ${items} (appended_at)
       WHERE appended_at IS NOT NULL`,
    `CREATE INDEX "${prefix}items_position" ON ${items}
       USING brin (position) WITH (pages_per_range = 32, autosummarize = on)`,
    // One count for all writers: a hint that is raised again after its removal has another one.
    `CREATE SEQUENCE ${hintCount}`,
    `CREATE TABLE ${hints} (writer text COLLATE "C" PRIMARY KEY, count bigint NOT NULL)`,
    `CREATE TABLE ${cursors} (writer text COLLATE "C" PRIMARY KEY, lsn bigint NOT NULL)`,
  ]
}

function createLeases({ leases }: Tables): readonly string[] {
  return [
    `CREATE TABLE ${leases} (
       name text COLLATE "C" PRIMARY KEY,
       holder text NOT NULL,
       token bigint NOT NULL,
       expires_ms bigint NOT NULL,
       note text)`,
  ]
}

/** Rows that were written when `touched` might lag by ten seconds. Reads every key once. */
function touchAnew(tables: Tables): readonly string[] {
  const { keys } = tables
  const head = listHeadSql(tables, 'o.key', `COALESCE(o.deleted_through, ${ZERO})`)
  return [
    `UPDATE ${keys} k SET touched = r.head
     FROM (SELECT o.key, ${head} AS head FROM ${keys} o) r
     WHERE k.key = r.key AND k.touched < r.head`,
  ]
}

/**
 * The schema version of the database; 0 when there is none. The catalog is read as a table:
 * to_regclass may answer from a cache that was filled before another process made the tables.
 */
export async function schemaVersion(
  session: Session,
  { schema, prefix, meta }: Tables,
): Promise<number> {
  const { rows } = await session.query({
    text: `SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = $1 AND c.relname = $2`,
    values: [schema, `${prefix}meta`],
  })
  if (rows.length === 0) return 0
  const read = await session.query({ text: `SELECT value FROM ${meta} WHERE name = 'version'` })
  return Number(read.rows[0]?.['value'] ?? 0)
}

/** Refuses a schema that this code does not know. */
export function checkVersion(version: number, migrate: 'connect' | 'never'): void {
  if (version > SCHEMA_VERSION) {
    throw new StorageError(
      'UNSUPPORTED',
      `the database has schema version ${version}, this release knows up to ${SCHEMA_VERSION}: upgrade it`,
    )
  }
  if (version < SCHEMA_VERSION && migrate === 'never') {
    throw new StorageError(
      'UNSUPPORTED',
      `the database has schema version ${version}, ${SCHEMA_VERSION} is needed: run migrate()`,
    )
  }
}

/** Brings the schema up to date. Processes that start together wait for one another. */
export async function migrate(session: Session, tables: Tables): Promise<void> {
  await session.transaction(async () => {
    // The server may take long to build an index: the caller's deadline is the limit.
    await session.query({ text: 'SET LOCAL statement_timeout = 0' })
    await session.query({ text: 'SET LOCAL lock_timeout = 0' })
    const name = `everthread ${tables.schema}.${tables.prefix}`
    await session.query({
      text: 'SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended($1, 0::bigint))',
      values: [name],
    })
    const from = await schemaVersion(session, tables)
    checkVersion(from, 'connect')
    if (from === 0) await createMeta(session, tables)
    for (const steps of MIGRATIONS.slice(from)) {
      for (const text of steps(tables)) await session.query({ text })
    }
    await session.query({
      text: `INSERT INTO ${tables.meta} VALUES ('version', $1)
             ON CONFLICT (name) DO UPDATE SET value = EXCLUDED.value`,
      values: [String(SCHEMA_VERSION)],
    })
  })
}

async function createMeta(session: Session, { schema, meta }: Tables): Promise<void> {
  const { rows } = await session.query({
    text: 'SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1',
    values: [schema],
  })
  // Asked first: CREATE SCHEMA needs its privilege even where the schema is there.
  if (rows.length === 0) await session.query({ text: `CREATE SCHEMA "${schema}"` })
  await session.query({
    text: `CREATE TABLE ${meta} (name text COLLATE "C" PRIMARY KEY, value text NOT NULL)`,
  })
  await session.query({
    text: `INSERT INTO ${meta} VALUES ('identity', $1)`,
    values: [randomUUID().replaceAll('-', '')],
  })
}
