import { randomUUID } from 'node:crypto'
import { placedDigest } from '../../../core/digest.ts'
import { StorageError } from '../../../core/errors.ts'
import { STAMP_MIN, type Stamp } from '../../../core/stamp.ts'
import { guardTables } from './guards.ts'
import { lastPositionSql, ZERO } from '../rows/head-sql.ts'
import { groupSql } from '../rows/prefix.ts'
import { renewDigests } from './renew-digests.ts'
import type { Session } from '../connection/session.ts'
import type { Tables } from '../rows/tables.ts'

/** The schema version that this code reads and writes. */
export const SCHEMA_VERSION = 8

/** Each takes the schema from the version before to its own number, counted from 1. */
const MIGRATIONS: readonly ((tables: Tables) => readonly string[])[] = [
  createTables,
  createLeases,
  touchAnew,
  placeParts,
  // What it made is made anew below.
  () => [],
  guardTables,
  // Only digests change: `renewDigests`.
  () => [],
  indexGroups,
]

/** What each of them does, for people. */
export const MIGRATION_TITLES: readonly string[] = [
  'tables of keys, items, hints and cursors',
  'table of leases',
  'touched: at most a second behind the latest item instead of ten',
  'items: edits and removals belong to a position, and go with it',
  'index for the latest keys of a tenant',
  'rows that somebody else removes give the database a new identity',
  'digests: nothing in them is made of encrypted values',
  'index for the latest keys of a tenant whose name has colons',
]

/*
 * keys: one row a key. `touched` is at most `TOUCHED_LAG_MS` older than the greatest stamp of the key,
 * so that an append to a busy one normally writes nothing here. Values are text exactly as given,
 * never jsonb.
 *
 * items: one row an item; its position is the greatest of its parts. appended_at, edited_of and
 * removed_of are the positions of what was appended, edited and removed; NULL, also where there is such
 * a part, means the row's. What lies at or below the
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
  const { keys, items } = tables
  const d = `COALESCE(o.deleted_through, ${ZERO})`
  const head = `GREATEST(${lastPositionSql(tables, 'o.key', d, false)},
    (SELECT i.edited_at FROM ${items} i WHERE i.key = o.key AND i.edited_at > ${d}
     ORDER BY i.edited_at DESC LIMIT 1))`
  return [
    `UPDATE ${keys} k SET touched = r.head
     FROM (SELECT o.key, ${head} AS head FROM ${keys} o) r
     WHERE k.key = r.key AND k.touched < r.head`,
  ]
}

/** SQL: some part of the row `i` stands below it; the condition and the columns of an index. */
export const IS_APART =
  '(i.appended_at IS NOT NULL OR i.edited_of IS NOT NULL OR i.removed_of IS NOT NULL)'
export const LEAST_APART = 'LEAST(i.appended_at, i.edited_of, i.removed_of)'

/** Nothing of an item survives a clear: what was left of some by the rule before is gone. */
function placeParts({ prefix, keys, items }: Tables): readonly string[] {
  const plain = (sql: string): string => sql.replaceAll('i.', '')
  return [
    `ALTER TABLE ${items} ADD COLUMN edited_of uuid, ADD COLUMN removed_of uuid,
       ADD COLUMN removed_digest bigint`,
    `DELETE FROM ${items} i USING ${keys} o
     WHERE o.key = i.key AND i.position <= o.deleted_through`,
    `UPDATE ${items} SET removed_digest = digest, digest = NULL WHERE removed`,
    `CREATE INDEX "${prefix}items_edited_of" ON ${items} (edited_of)
       WHERE edited_of IS NOT NULL`,
    `CREATE INDEX "${prefix}items_removed_of" ON ${items} (removed_of)
       WHERE removed_of IS NOT NULL`,
    `CREATE INDEX "${prefix}items_apart" ON ${items} (key, (${plain(LEAST_APART)}))
       WHERE ${plain(IS_APART)}`,
  ]
}

/** The version from which on digests begin with the names of operations. */
const NAMED_VERSION = 7

/** The version from which on the digests of edits and removals have their positions in them. */
const PLACED_VERSION = 4
/** Rows that are brought up to date by one statement. */
const PLACED_ROWS = 1_000

/** Digests that were stored without the positions that edits and removals belong to. */
async function placeDigests(session: Session, { items }: Tables): Promise<void> {
  let key = ''
  let item: string = STAMP_MIN
  for (;;) {
    const { rows } = await session.query({
      text: `SELECT key, item, position, edited_digest, removed_digest FROM ${items}
        WHERE (key, item) > ($1::text, $2::uuid)
          AND (edited_digest IS NOT NULL OR removed_digest IS NOT NULL)
        ORDER BY key, item LIMIT ${PLACED_ROWS}`,
      values: [key, item],
    })
    const placed = (row: Record<string, unknown>, column: string): number | null =>
      row[column] === null ? null : placedDigest(Number(row[column]), row['position'] as Stamp)
    await session.query({
      text: `UPDATE ${items} i SET edited_digest = n.edited, removed_digest = n.removed
        FROM unnest($1::text[], $2::uuid[], $3::bigint[], $4::bigint[])
          AS n(key, item, edited, removed)
        WHERE i.key = n.key AND i.item = n.item`,
      values: [
        rows.map((row) => row['key']),
        rows.map((row) => row['item']),
        rows.map((row) => placed(row, 'edited_digest')),
        rows.map((row) => placed(row, 'removed_digest')),
      ],
    })
    const last = rows.at(-1)
    if (last === undefined || rows.length < PLACED_ROWS) return
    key = last['key'] as string
    item = last['item'] as string
  }
}

/**
 * For `listLatest`: the latest keys of a tenant are found without those of others. A large database may have
 * been given it before, with CONCURRENTLY. Before it there was one that tenants with a colon in their names shared.
 */
function indexGroups({ schema, prefix, keys }: Tables): readonly string[] {
  return [
    `CREATE INDEX IF NOT EXISTS "${prefix}keys_tenant" ON ${keys} (${groupSql('key')}, touched, key)`,
    `DROP INDEX IF EXISTS "${schema}"."${prefix}keys_group"`,
  ]
}

/** Each index by its name, and the statement that makes it. */
export function indexStatements(tables: Tables): readonly { name: string; sql: string }[] {
  return MIGRATIONS.flatMap((step) => step(tables)).flatMap((text) => {
    const name = /^CREATE INDEX (?:IF NOT EXISTS )?"(\w+)"/.exec(text)?.[1]
    return name === undefined ? [] : [{ name, sql: text.replace(/\s+/g, ' ') }]
  })
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
    if (from < PLACED_VERSION) await placeDigests(session, tables)
    if (from > 0 && from < NAMED_VERSION) await renewDigests(session, tables)
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
