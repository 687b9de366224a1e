import { digestOf } from '../../core/digest.ts'
import {
  itemOf,
  itemValue,
  joinItems,
  operationsOfItem,
  settleItem,
  type Item,
} from '../../core/merge.ts'
import type { AppendOperation, PutOperation } from '../../core/operation.ts'
import { maxStamp, type Stamp } from '../../core/stamp.ts'
import type { SqliteValue } from './driver.ts'
import { ITEM_COLUMNS, itemOfRow, type ItemRow } from './item-row.ts'
import { optionalStamp, type KeyRow, type KeyTable } from './key-table.ts'
import type { SqliteSession } from './session.ts'
import {
  checkSameId,
  HASHED_ITEMS,
  isOwnId,
  itemBytes,
  STAMP_MIN_BYTES,
  stampBytes,
} from './stamp-bytes.ts'

const INSERT = `
  INSERT INTO everthread_items (key_id, item, id, position, digest, removed, appended)
  VALUES (?, ?, ?, ?, ?, 0, ?) ON CONFLICT (key_id, item) DO NOTHING`
const FIND_ITEM = `
  SELECT ${ITEM_COLUMNS} FROM everthread_items WHERE key_id = ? AND item = ?`
const REPLACE = `
  INSERT INTO everthread_items (key_id, ${ITEM_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (key_id, item) DO UPDATE SET
    position = excluded.position, appended_at = excluded.appended_at, digest = excluded.digest,
    edited_at = excluded.edited_at, edited_digest = excluded.edited_digest,
    removed = excluded.removed, appended = excluded.appended, edited = excluded.edited`
/** What a clear takes whole: most of a list. */
const CLEAR = `
  DELETE FROM everthread_items WHERE key_id = ?1 AND removed = 0 AND position <= ?2
    AND (edited_at IS NULL OR edited_at <= ?2)`
/** What it takes in part. A removed row stays, without its position. */
const CLEARED_IN_PART = `
  SELECT ${ITEM_COLUMNS} FROM everthread_items WHERE key_id = ?1
    AND ((position <= ?2 AND (position > ?3 OR appended IS NOT NULL))
      OR appended_at <= ?2 OR edited_at <= ?2)`
const HEAD_OWN = `
  SELECT item AS stamp FROM everthread_items
  WHERE key_id = ? AND item < ? AND position = item ORDER BY item DESC LIMIT 1`
const HEAD_MOVED = `
  SELECT max(position) AS stamp FROM everthread_items WHERE key_id = ? AND position <> item`
const HEAD_EDITED = `
  SELECT max(edited_at) AS stamp FROM everthread_items
  WHERE key_id = ? AND edited_at IS NOT NULL`

/** The items of a key, as one transaction writes them. */
export class ItemTable {
  readonly #session: SqliteSession
  readonly #keys: KeyTable

  constructor(session: SqliteSession, keys: KeyTable) {
    this.#session = session
    this.#keys = keys
  }

  /** Inserts an append that is above the key's deletedThrough. False when its id is there. */
  insert(key: KeyRow, operation: AppendOperation): boolean {
    const { id, position, value } = operation
    const item = itemBytes(id)
    const bytes = id === position ? item : stampBytes(position)
    const text = isOwnId(id) ? null : id
    const digest = digestOf(operation)
    if (this.#session.run(INSERT, key.keyId, item, text, bytes, digest, value) === 0) {
      return false
    }
    this.#keys.raise(key, position, true)
    return true
  }

  find(keyId: number, id: string): Item | undefined {
    const row = this.#find(keyId, id)
    return row === undefined ? undefined : itemOfRow(row)
  }

  /** Joins the operation into what stands, whatever that is. */
  merge(key: KeyRow, operation: PutOperation): void {
    const row = this.#find(key.keyId, operation.id)
    const standing = row === undefined ? undefined : itemOfRow(row)
    const arriving = itemOf(operation)
    const joined = standing === undefined ? arriving : joinItems(standing, arriving)
    const settled = settleItem(joined, key.deletedThrough)
    // Nothing is left of it, and then nothing stood: rows are settled.
    if (settled === undefined) return
    if (standing !== undefined && isSame(standing, settled)) return
    this.#write(operation.key, key, row, settled)
  }

  /** Takes away what is at or below the key's deletedThrough. */
  settle(name: string, key: KeyRow): void {
    const through = stampBytes(key.deletedThrough!)
    this.#session.run(CLEAR, key.keyId, through)
    const rows = this.#session.all<ItemRow>(CLEARED_IN_PART, key.keyId, through, STAMP_MIN_BYTES)
    for (const row of rows) {
      const settled = settleItem(itemOfRow(row), key.deletedThrough)
      if (settled === undefined) {
        throw new Error('a row that is gone whole was not deleted')
      }
      this.#write(name, key, row, settled)
    }
  }

  /** The greatest stamp of any item of the key. */
  head(keyId: number): Stamp | undefined {
    const own = this.#stamp(HEAD_OWN, keyId, HASHED_ITEMS)
    const moved = this.#stamp(HEAD_MOVED, keyId)
    return maxStamp(maxStamp(own, moved), this.#stamp(HEAD_EDITED, keyId))
  }

  #stamp(sql: string, ...parameters: readonly SqliteValue[]): Stamp | undefined {
    const row = this.#session.get<{ stamp: Uint8Array | null }>(sql, ...parameters)
    return optionalStamp(row?.stamp)
  }

  #find(keyId: number, id: string): ItemRow | undefined {
    const row = this.#session.get<ItemRow>(FIND_ITEM, keyId, itemBytes(id))
    if (row !== undefined && row.id !== null) checkSameId(id, row.id)
    return row
  }

  #write(name: string, key: KeyRow, row: ItemRow | undefined, item: Item): void {
    const { id, position, appendedAt, editedAt } = item
    const before = row === undefined ? undefined : itemOfRow(row)
    const digests = digestsOf(name, item, before, row)
    this.#session.run(
      REPLACE,
      key.keyId,
      itemBytes(id),
      isOwnId(id) ? null : id,
      stampBytes(position),
      appendedAt === undefined || appendedAt === position ? null : stampBytes(appendedAt),
      digests.digest,
      editedAt === undefined ? null : stampBytes(editedAt),
      digests.edited,
      item.removed ? 1 : 0,
      item.appended ?? null,
      item.edited ?? null,
    )
    const visible = itemValue(item) !== undefined
    this.#keys.raise(key, position, visible)
    if (!visible && before !== undefined && itemValue(before) !== undefined) this.#keys.lower(key)
  }
}

function isSame(a: Item, b: Item): boolean {
  return (
    a.position === b.position &&
    a.appendedAt === b.appendedAt &&
    a.editedAt === b.editedAt &&
    a.removed === b.removed
  )
}

/** A digest is kept with the value that it was made of, so that it still shows damage to it. */
function digestsOf(
  name: string,
  item: Item,
  before: Item | undefined,
  row: ItemRow | undefined,
): { digest: number | null; edited: number | null } {
  let digest: number | null = null
  let edited: number | null = null
  for (const operation of operationsOfItem(name, item)) {
    if (operation.change === 'edit') {
      edited = item.editedAt === before?.editedAt ? row!.edited_digest : digestOf(operation)
    } else if (operation.change === 'append') {
      digest = item.appendedAt === before?.appendedAt ? row!.digest : digestOf(operation)
    } else {
      digest = digestOf(operation)
    }
  }
  return { digest, edited }
}
