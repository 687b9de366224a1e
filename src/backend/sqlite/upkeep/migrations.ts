/*
 * The schema, as numbered steps. A step that was released is never changed: a later one follows.
 *
 * An item is one row; its columns are the registers of `core/merge.ts`. No row keeps what a clear covers:
 * writers hold the write lock, read the key's deleted_through first and never store what is gone.
 *
 *   item           identity (`stamp-bytes.ts`); equals position in a row whose id is made from it
 *   id             text of a caller's id, else NULL
 *   position       the greatest of its parts
 *   appended_at    position that brought the appended value; NULL: the row's position
 *   edited_of      position that the edit belongs to; NULL, also where there is one: the row's
 *   removed_of     position that the removal carried; NULL, also where there is one: the row's
 *   digest         of the appended value (`core/digest.ts`); edited_digest, removed_digest likewise
 *
 * A lone append with an own id writes the row and one index entry. The other indexes are partial:
 * they hold only rows whose position is not their identity, or that were edited.
 *
 *   touched        a place in time of the key: no stamp of its deleted_through, register or
 *                  positions is COARSE_MS or more above it, so that an append rarely writes the key
 *   latest         that of the latest visible item is less than LATEST_MS above it, and never below
 *                  it; NULL: none is visible
 */
import { placedDigest } from '../../../core/digest.ts'
import { StorageError } from '../../../core/errors.ts'
import { renewDigests } from './renew-digests.ts'
import type { SqliteConnection } from '../connection/connection.ts'
import { GROUP } from '../rows/key-group.ts'
import { stampOf } from '../rows/stamp-bytes.ts'
import { GUARDS } from './guards.ts'

const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE everthread_meta (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    identity TEXT NOT NULL,
    trusted TEXT,
    head BLOB,
    hint_count INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE TABLE everthread_hints (
    writer TEXT PRIMARY KEY,
    count INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE everthread_cursors (
    writer TEXT PRIMARY KEY,
    lsn INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE everthread_keys (
    key_id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    touched BLOB NOT NULL,
    latest BLOB,
    deleted_through BLOB,
    deleted_digest INTEGER,
    register_stamp BLOB,
    register_digest INTEGER,
    register TEXT
  ) STRICT;
  CREATE INDEX everthread_keys_touched ON everthread_keys (touched);
  CREATE INDEX everthread_keys_latest ON everthread_keys (latest) WHERE latest IS NOT NULL;
  CREATE TABLE everthread_items (
    row_id INTEGER PRIMARY KEY,
    key_id INTEGER NOT NULL,
    item BLOB NOT NULL,
    id TEXT,
    position BLOB NOT NULL,
    appended_at BLOB,
    digest INTEGER,
    edited_at BLOB,
    edited_digest INTEGER,
    removed INTEGER NOT NULL,
    appended TEXT,
    edited TEXT,
    UNIQUE (key_id, item)
  ) STRICT;
  CREATE INDEX everthread_items_moved ON everthread_items (key_id, position)
    WHERE position <> item;
  CREATE INDEX everthread_items_appended ON everthread_items (key_id, appended_at)
    WHERE appended_at IS NOT NULL;
  CREATE INDEX everthread_items_edited ON everthread_items (key_id, edited_at)
    WHERE edited_at IS NOT NULL;
  `,
  `
  CREATE TABLE everthread_leases (
    name TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    token INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    note TEXT
  ) STRICT, WITHOUT ROWID;
  `,
  // Rows that were written when `latest` might lag by a minute.
  `
  UPDATE everthread_keys AS k SET latest = (
    SELECT max(position) FROM (
      SELECT * FROM (
        SELECT position FROM everthread_items
        WHERE key_id = k.key_id AND item < x'ff000000000000000000000000000000' AND position = item
          AND removed = 0 AND (appended IS NOT NULL OR edited IS NOT NULL)
        ORDER BY item DESC LIMIT 1)
      UNION ALL SELECT * FROM (
        SELECT position FROM everthread_items
        WHERE key_id = k.key_id AND position <> item
          AND removed = 0 AND (appended IS NOT NULL OR edited IS NOT NULL)
        ORDER BY position DESC LIMIT 1)))
  WHERE latest IS NOT NULL;
  `,
  // What was left of a cleared item, an edit or a removal without a position, is gone now.
  `
  ALTER TABLE everthread_items ADD COLUMN edited_of BLOB;
  ALTER TABLE everthread_items ADD COLUMN removed_of BLOB;
  ALTER TABLE everthread_items ADD COLUMN removed_digest INTEGER;
  DELETE FROM everthread_items WHERE position = x'00000000000000000000000000000000';
  UPDATE everthread_items SET removed_digest = digest, digest = NULL WHERE removed <> 0;
  CREATE INDEX everthread_items_removed ON everthread_items (key_id, position)
    WHERE removed <> 0;
  CREATE INDEX everthread_items_edited_of ON everthread_items (key_id, edited_of)
    WHERE edited_of IS NOT NULL;
  CREATE INDEX everthread_items_removed_of ON everthread_items (key_id, removed_of)
    WHERE removed_of IS NOT NULL;
  `,
  GUARDS.join(''),
  // Only digests change: `renew-digests.ts`.
  '',
  `
  CREATE INDEX everthread_keys_group ON everthread_keys (${GROUP}, latest) WHERE latest IS NOT NULL;
  `,
]

/** The statement that makes each index. */
export const INDEXES: readonly string[] = MIGRATIONS.flatMap((sql) =>
  Array.from(sql.matchAll(/CREATE INDEX [^;]+;/g), ([statement]) => statement),
)

/** The version from which on digests begin with the names of operations. */
const NAMED_VERSION = 6

/** The version from which on the digests of edits and removals have their positions in them. */
const PLACED_VERSION = 4

const SCHEMA_VERSION: number = MIGRATIONS.length

/** What each of them does, for people. */
export const MIGRATION_TITLES: readonly string[] = [
  'tables of keys, items, hints and cursors',
  'table of leases',
  'latest: at most a second behind the latest item instead of a minute',
  'items: edits and removals belong to a position, and go with it',
  'rows that somebody else removes give the database a new identity',
  'digests: nothing in them is made of encrypted values',
  'index for the latest keys of a tenant',
]

/**
 * Brings the schema up to date in one transaction.
 *
 * @param identity Given to the database if it is new.
 * @throws StorageError `UNSUPPORTED` when a newer release has made the schema.
 */
export function migrate(connection: SqliteConnection, identity: string): void {
  const current = connection.read(() => versionOf(connection))
  if (current !== SCHEMA_VERSION) connection.write(() => climb(connection, identity))
}

function climb(connection: SqliteConnection, identity: string): void {
  // Read again under the lock: another process may have been faster.
  const current = versionOf(connection)
  if (current > SCHEMA_VERSION) {
    throw new StorageError(
      'UNSUPPORTED',
      `the SQLite file has schema ${current}, this version knows schemas up to ${SCHEMA_VERSION}`,
    )
  }
  if (current === SCHEMA_VERSION) return
  if (current === 0) connection.exec('CREATE TABLE everthread_schema (version INTEGER) STRICT')
  for (const sql of MIGRATIONS.slice(current)) connection.exec(sql)
  if (current < PLACED_VERSION) placeDigests(connection)
  if (current > 0 && current < NAMED_VERSION) renewDigests(connection)
  if (current === 0) {
    connection.run('INSERT INTO everthread_schema VALUES (?)', SCHEMA_VERSION)
    connection.run('INSERT INTO everthread_meta (id, identity) VALUES (1, ?)', identity)
  } else {
    connection.run('UPDATE everthread_schema SET version = ?', SCHEMA_VERSION)
  }
}

/** Digests that were stored without the positions that edits and removals belong to. */
function placeDigests(connection: SqliteConnection): void {
  const read = `
    SELECT row_id, position, edited_digest, removed_digest FROM everthread_items
    WHERE row_id > ? AND (edited_digest IS NOT NULL OR removed_digest IS NOT NULL)
    ORDER BY row_id LIMIT 1000`
  const write = `
    UPDATE everthread_items SET edited_digest = ?, removed_digest = ? WHERE row_id = ?`
  for (let last = 0; ;) {
    const rows = connection.all<UnplacedRow>(read, last)
    for (const { row_id: id, position, edited_digest: edited, removed_digest: removed } of rows) {
      const placed = (digest: number | null): number | null =>
        digest === null ? null : placedDigest(digest, stampOf(position))
      connection.run(write, placed(edited), placed(removed), id)
      last = id
    }
    if (rows.length === 0) return
  }
}

interface UnplacedRow {
  readonly row_id: number
  readonly position: Uint8Array
  readonly edited_digest: number | null
  readonly removed_digest: number | null
}

/** 0 for a file without our schema. */
export function versionOf(connection: SqliteConnection): number {
  const table = connection.get("SELECT 1 FROM sqlite_schema WHERE name = 'everthread_schema'")
  if (table === undefined) return 0
  const row = connection.get<{ version: number }>('SELECT version FROM everthread_schema')
  return row?.version ?? 0
}
