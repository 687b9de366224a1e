/*
 * Whether all that reads and comparisons go by fits the rows of the items, and how it is made to. Of a key
 * whose row is gone only the number is known: its items are removed, and come back from the other database.
 */
import { maxStamp, stampMs, STAMP_MIN, type Stamp } from '../../../core/stamp.ts'
import type { DamagedPart } from '../../replica-backend.ts'
import { GUARDS, RENEW_IDENTITY } from './guards.ts'
import { headOfItems } from '../rows/item-table.ts'
import {
  fitsLatest,
  isClearWhole,
  laterOf,
  latestMovedSql,
  latestOwnSql,
  optionalStamp,
} from '../rows/key-table.ts'
import { COARSE_MS } from '../rows/lags.ts'
import { INDEXES } from './migrations.ts'
import type { SqliteConnection } from '../connection/connection.ts'
import { HASHED_ITEMS, stampBytes, stampOf } from '../rows/stamp-bytes.ts'

/** Keys of one page. */
const PAGE_KEYS = 512
/** Rows that are removed at once. */
const REMOVED_ROWS = 4_096

const KEYS_TABLE = 'everthread_keys'
const OBJECTS = 'SELECT name FROM sqlite_schema'
const HEADS = `
  SELECT head, (SELECT max(touched) FROM everthread_keys) AS touched FROM everthread_meta`
const KEYS = `
  SELECT key_id, key, touched, latest, deleted_through, deleted_digest, register_stamp,
    register_digest IS NOT NULL AND register IS NOT NULL AS has_register,
    (SELECT item FROM everthread_items
      WHERE key_id = k.key_id AND item < ?3 AND position = item
      ORDER BY item DESC LIMIT 1) AS own,
    (SELECT max(position) FROM everthread_items
      WHERE key_id = k.key_id AND position <> item) AS moved,
    (${latestOwnSql('k.key_id', '?3')}) AS own_seen, (${latestMovedSql('k.key_id')}) AS moved_seen
  FROM everthread_keys k WHERE key_id > ?1 ORDER BY key_id LIMIT ?2`
/** From one key to the next, whatever there is of each. */
const OWNERS = `
  WITH RECURSIVE owners(id) AS (
    SELECT min(key_id) FROM everthread_items WHERE key_id > ?1
    UNION ALL SELECT (SELECT min(key_id) FROM everthread_items WHERE key_id > owners.id)
      FROM owners WHERE id IS NOT NULL
    LIMIT ?2)
  SELECT id, NOT EXISTS (SELECT 1 FROM everthread_keys WHERE key_id = id) AS lost
  FROM owners WHERE id IS NOT NULL`
const REMOVE = `
  DELETE FROM everthread_items WHERE row_id IN (
    SELECT row_id FROM everthread_items WHERE key_id = ?1 LIMIT ?2)`
const WRITE_KEY = 'UPDATE everthread_keys SET touched = ?1, latest = ?2 WHERE key_id = ?3'
const DROP_CLEAR = `
  UPDATE everthread_keys SET deleted_through = NULL, deleted_digest = NULL WHERE key_id = ?`
const DROP_REGISTER = `
  UPDATE everthread_keys SET register_stamp = NULL, register_digest = NULL, register = NULL
  WHERE key_id = ?`
const WRITE_HEAD = 'UPDATE everthread_meta SET head = ?1 WHERE head IS NULL OR head < ?1'

interface KeyParts {
  readonly key_id: number
  readonly key: string
  readonly touched: Uint8Array
  readonly latest: Uint8Array | null
  readonly deleted_through: Uint8Array | null
  readonly deleted_digest: number | null
  readonly register_stamp: Uint8Array | null
  readonly has_register: number
  readonly own: Uint8Array | null
  readonly moved: Uint8Array | null
  readonly own_seen: Uint8Array | null
  readonly moved_seen: Uint8Array | null
}

export interface PartsPage {
  readonly parts: readonly DamagedPart[]
  /** Where the next page starts; undefined at the end. */
  readonly next?: number
}

/** Indexes and triggers that are not there, and what is wrong about the file as a whole. */
export function checkFile(connection: SqliteConnection): readonly DamagedPart[] {
  const parts: DamagedPart[] = missingObjects(connection).map(([name]) => ({ name }))
  const { head, touched } = connection.get<Record<'head' | 'touched', Uint8Array | null>>(HEADS)!
  if (touched !== null && (head === null || Buffer.compare(head, touched) < 0)) {
    parts.push({ name: 'everthread_meta' })
  }
  return parts
}

export function checkKeys(connection: SqliteConnection, after: number): PartsPage {
  const rows = keysAfter(connection, after)
  const parts = rows
    .filter((row) => !isWhole(row))
    .map(({ key }): DamagedPart => ({ name: KEYS_TABLE, key }))
  return { parts, ...nextOf(rows.at(-1)?.key_id, rows.length) }
}

/** Keys whose rows are gone: nobody knows their names. */
export function checkOwners(connection: SqliteConnection, after: number): PartsPage {
  const rows = connection.all<{ id: number; lost: number }>(OWNERS, after, PAGE_KEYS)
  const parts = rows.filter(({ lost }) => lost !== 0).map((): DamagedPart => ({ name: KEYS_TABLE }))
  return { parts, ...nextOf(rows.at(-1)?.id, rows.length) }
}

/** Before anything is mended: nobody takes what is left for complete. */
export function mendFile(connection: SqliteConnection): void {
  connection.exec(RENEW_IDENTITY)
  for (const [, sql] of missingObjects(connection)) connection.exec(sql)
}

/** Mends a page of keys, and returns where the next one starts. */
export function mendKeys(connection: SqliteConnection, after: number): number | undefined {
  const rows = keysAfter(connection, after)
  for (const row of rows) mendKey(connection, row)
  return nextOf(rows.at(-1)?.key_id, rows.length).next
}

/** Removes some items of keys that are gone, and returns where to go on. */
export function mendOwners(connection: SqliteConnection, after: number): number | undefined {
  const rows = connection.all<{ id: number; lost: number }>(OWNERS, after, PAGE_KEYS)
  for (const { id, lost } of rows) {
    if (lost === 0) continue
    if (connection.run(REMOVE, id, REMOVED_ROWS) === REMOVED_ROWS) return id - 1
  }
  return nextOf(rows.at(-1)?.id, rows.length).next
}

function missingObjects(
  connection: SqliteConnection,
): readonly (readonly [name: string, sql: string])[] {
  const found = new Set(connection.all<{ name: string }>(OBJECTS).map(({ name }) => name))
  return [...INDEXES, ...GUARDS]
    .map((sql) => [/everthread_\w+/.exec(sql)![0], sql] as const)
    .filter(([name]) => !found.has(name))
}

function keysAfter(connection: SqliteConnection, after: number): readonly KeyParts[] {
  return connection.all<KeyParts>(KEYS, after, PAGE_KEYS, HASHED_ITEMS)
}

function nextOf(last: number | undefined, count: number): { readonly next?: number } {
  return last === undefined || count < PAGE_KEYS ? {} : { next: last }
}

function isWhole(row: KeyParts): boolean {
  if (!isClearWhole(row.key, row) || !isRegisterWhole(row)) return false
  const top = topOf(row)
  if (top !== undefined && stampMs(top) >= stampMs(stampOf(row.touched)) + COARSE_MS) return false
  return fitsLatest(row.latest, laterOf(row.own_seen, row.moved_seen))
}

function isRegisterWhole({ register_stamp: stamp, has_register: has }: KeyParts): boolean {
  return (stamp !== null) === (has !== 0)
}

/** The greatest place of the key. */
function topOf({ own, moved, deleted_through, register_stamp }: KeyParts): Stamp | undefined {
  const clear = optionalStamp(deleted_through)
  const register = optionalStamp(register_stamp)
  return maxStamp(maxStamp(laterOf(own, moved), clear), register)
}

/** A clear or a register of which a part is wrong is of no use: all of it comes back from elsewhere. */
function mendKey(connection: SqliteConnection, row: KeyParts): void {
  const { key_id: id } = row
  const hasClear = isClearWhole(row.key, row)
  const hasRegister = isRegisterWhole(row)
  if (!hasClear) connection.run(DROP_CLEAR, id)
  if (!hasRegister) connection.run(DROP_REGISTER, id)
  const left: KeyParts = {
    ...row,
    ...(!hasClear && { deleted_through: null, deleted_digest: null }),
    ...(!hasRegister && { register_stamp: null, has_register: 0 }),
  }
  const top = topOf(left)
  if (!isWhole(left)) {
    const seen = laterOf(row.own_seen, row.moved_seen)
    const latest = seen === undefined ? null : stampBytes(seen)
    connection.run(WRITE_KEY, stampBytes(top ?? STAMP_MIN), latest, id)
  }
  const head = maxStamp(top, headOfItems(connection, id))
  if (head !== undefined) connection.run(WRITE_HEAD, stampBytes(head))
}
