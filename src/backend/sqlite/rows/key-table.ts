import { digestOf } from '../../../core/digest.ts'
import { StorageError } from '../../../core/errors.ts'
import { stampMs, STAMP_MIN, type Stamp } from '../../../core/stamp.ts'
import { HAS_VALUE } from './item-row.ts'
import { COARSE_MS, LATEST_MS } from './lags.ts'
import type { SqliteConnection } from '../connection/connection.ts'
import { HASHED_ITEMS, STAMP_MIN_BYTES, stampBytes, stampOf } from './stamp-bytes.ts'

/** Keys that are kept from one transaction to the next; beyond that all are read again. */
const KEYS_MAX = 10_000

/** What a write needs to know of a key. */
export interface KeyRow {
  readonly keyId: number
  touched: Stamp
  latest: Stamp | undefined
  deletedThrough: Stamp | undefined
  registerStamp: Stamp | undefined
}

interface StoredKey {
  readonly key_id: number
  readonly touched: Uint8Array
  readonly latest: Uint8Array | null
  readonly deleted_through: Uint8Array | null
  readonly deleted_digest: number | null
  readonly register_stamp: Uint8Array | null
}

const VERSION = 'PRAGMA data_version'
const FIND = `
  SELECT key_id, touched, latest, deleted_through, deleted_digest, register_stamp
  FROM everthread_keys WHERE key = ?`
/** Above all ids that items have: one whose key was lost would be taken for one of this key. */
const CREATE = `
  INSERT INTO everthread_keys (key_id, key, touched)
  VALUES (1 + max(
    coalesce((SELECT max(key_id) FROM everthread_keys), 0),
    coalesce((SELECT max(key_id) FROM everthread_items), 0)), ?, ?) RETURNING key_id`
const RAISE = 'UPDATE everthread_keys SET touched = ?, latest = ? WHERE key_id = ?'

const LATEST_OWN = latestOwnSql('?1', '?2')
const LATEST_MOVED = latestMovedSql('?')

/**
 * SQL: the latest visible position of a key; by index, and it stops at the first visible row. What stands below
 * the latest of the others is not gone through: it may be any number of ids that are stamps of other times.
 */
export function latestOwnSql(keyId: string, hashedItems: string): string {
  return `
    SELECT position FROM everthread_items
    WHERE key_id = ${keyId} AND item < ${hashedItems} AND position = item AND ${HAS_VALUE}
      AND item > coalesce((${latestMovedSql(keyId)}), x'')
    ORDER BY item DESC LIMIT 1`
}

/** The same for the items that do not stand where their identities say. */
export function latestMovedSql(keyId: string): string {
  return `
    SELECT position FROM everthread_items
    WHERE key_id = ${keyId} AND position <> item AND ${HAS_VALUE}
    ORDER BY position DESC LIMIT 1`
}

/**
 * The rows of keys that transactions of this connection have touched. They are kept for the next one,
 * since most saves go to keys that were written a moment ago, and read again once another connection
 * has changed the file.
 */
export class KeyTable {
  readonly #connection: SqliteConnection
  readonly #rows = new Map<string, KeyRow>()
  /** Changes with every commit of another connection. */
  #version: number | undefined

  constructor(connection: SqliteConnection) {
    this.#connection = connection
  }

  /** Called first in each transaction, which holds the write lock: nobody else commits until its end. */
  begin(): void {
    const { data_version: version } = this.#connection.get<{ data_version: number }>(VERSION)!
    if (version !== this.#version || this.#rows.size > KEYS_MAX) this.forget()
    this.#version = version
  }

  find(key: string): KeyRow | undefined {
    const known = this.#rows.get(key)
    if (known !== undefined) return known
    const stored = this.#connection.get<StoredKey>(FIND, key)
    if (stored === undefined) return undefined
    checkClear(key, stored)
    const row: KeyRow = {
      keyId: stored.key_id,
      touched: stampOf(stored.touched),
      latest: optionalStamp(stored.latest),
      deletedThrough: optionalStamp(stored.deleted_through),
      registerStamp: optionalStamp(stored.register_stamp),
    }
    this.#rows.set(key, row)
    return row
  }

  findOrCreate(key: string): KeyRow {
    const known = this.find(key)
    if (known !== undefined) return known
    const created = this.#connection.get<{ key_id: number }>(CREATE, key, STAMP_MIN_BYTES)!
    const row: KeyRow = {
      keyId: created.key_id,
      touched: STAMP_MIN,
      latest: undefined,
      deletedThrough: undefined,
      registerStamp: undefined,
    }
    this.#rows.set(key, row)
    return row
  }

  /** After a rollback, or a commit that failed, the rows are not what is kept here. */
  forget(): void {
    this.#rows.clear()
  }

  /** Notes that something stands at this place; `visible`: an item that readers see. */
  raise(row: KeyRow, place: Stamp, visible: boolean): void {
    const touched = isLater(place, row.touched, COARSE_MS)
    const latest = visible && (row.latest === undefined || isLater(place, row.latest, LATEST_MS))
    if (touched) row.touched = place
    if (latest) row.latest = place
    if (touched || latest) this.#save(row)
  }

  /** Finds the latest visible item anew: what was visible may be gone. */
  lower(row: KeyRow): void {
    const latest = this.latestVisible(row)
    if (latest === row.latest) return
    row.latest = latest
    this.#save(row)
  }

  /** Position of the latest visible item. The column of it may be behind. */
  latestVisible({ keyId }: KeyRow): Stamp | undefined {
    const read = (sql: string, ...bounds: readonly Uint8Array[]): Uint8Array | null =>
      this.#connection.get<{ position: Uint8Array }>(sql, keyId, ...bounds)?.position ?? null
    return laterOf(read(LATEST_OWN, HASHED_ITEMS), read(LATEST_MOVED))
  }

  #save({ keyId, touched, latest }: KeyRow): void {
    const bytes = latest === undefined ? null : stampBytes(latest)
    this.#connection.run(RAISE, stampBytes(touched), bytes, keyId)
  }
}

export function laterOf(own: Uint8Array | null, moved: Uint8Array | null): Stamp | undefined {
  if (own === null || moved === null) return optionalStamp(own ?? moved)
  return stampOf(Buffer.compare(own, moved) > 0 ? own : moved)
}

/** True when the column `latest` is as far behind the latest visible position as it may be. */
export function fitsLatest(latest: Uint8Array | null, seen: Stamp | undefined): boolean {
  if (latest === null || seen === undefined) return latest === null && seen === undefined
  const noted = stampOf(latest)
  return noted <= seen && !isLater(seen, noted, LATEST_MS)
}

type ClearColumns = Pick<StoredKey, 'deleted_through' | 'deleted_digest'>

/** True when the clear of a key, or that there is none, is what was written. */
export function isClearWhole(
  key: string,
  { deleted_through: through, deleted_digest: digest }: ClearColumns,
): boolean {
  if (through === null || digest === null) return through === null && digest === null
  return digestOf({ kind: 'delete', key, stamp: stampOf(through) }) === digest
}

/**
 * Nobody goes by a clear that somebody else has changed.
 *
 * @throws StorageError `CORRUPT`
 */
export function checkClear(key: string, columns: ClearColumns): void {
  if (!isClearWhole(key, columns)) throw damagedKey(key)
}

export function damagedKey(key: string): StorageError {
  const text = `SQLite: the row of ${JSON.stringify(key)} in everthread_keys is damaged`
  return new StorageError('CORRUPT', text)
}

export function optionalStamp(bytes: Uint8Array | null | undefined): Stamp | undefined {
  return bytes === null || bytes === undefined ? undefined : stampOf(bytes)
}

function isLater(place: Stamp, known: Stamp, byMs: number): boolean {
  return stampMs(place) >= stampMs(known) + byMs
}
