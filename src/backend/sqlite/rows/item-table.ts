import { digestOf } from '../../../core/digest.ts'
import {
  isRemoved,
  itemOf,
  itemValue,
  joinItems,
  operationsOfItem,
  withoutCleared,
  type Item,
} from '../../../core/merge.ts'
import type { AppendOperation, PutOperation } from '../../../core/operation.ts'
import { maxStamp, type Stamp } from '../../../core/stamp.ts'
import type { SqliteValue } from '../connection/driver.ts'
import { ITEM_COLUMNS, itemOfRow, type ItemRow } from './item-row.ts'
import { optionalStamp, type KeyRow, type KeyTable } from './key-table.ts'
import type { SqliteConnection } from '../connection/connection.ts'
import { checkSameId, HASHED_ITEMS, isOwnId, itemBytes, stampBytes } from './stamp-bytes.ts'

const INSERT = `
  INSERT INTO everthread_items (key_id, item, id, position, digest, removed, appended)
  VALUES (?, ?, ?, ?, ?, 0, ?) ON CONFLICT (key_id, item) DO NOTHING`
const FIND_ITEM = `
  SELECT ${ITEM_COLUMNS} FROM everthread_items WHERE key_id = ? AND item = ?`
const REPLACED = ITEM_COLUMNS.split(', ').filter((name) => name !== 'item' && name !== 'id')
const REPLACE = `
  INSERT INTO everthread_items (key_id, ${ITEM_COLUMNS})
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (key_id, item) DO UPDATE SET
    ${REPLACED.map((name) => `${name} = excluded.${name}`).join(', ')}`
/** What a clear takes whole: nearly all. */
const CLEAR = 'DELETE FROM everthread_items WHERE key_id = ?1 AND position <= ?2'
/** What it takes in part: rows with a part that stands below the row. */
const CLEARED_IN_PART = `
  SELECT ${ITEM_COLUMNS} FROM everthread_items WHERE key_id = ?1 AND (
    (appended_at IS NOT NULL AND appended_at <= ?2) OR (edited_of IS NOT NULL AND edited_of <= ?2)
    OR (removed_of IS NOT NULL AND removed_of <= ?2))`
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
  readonly #connection: SqliteConnection
  readonly #keys: KeyTable

  constructor(connection: SqliteConnection, keys: KeyTable) {
    this.#connection = connection
    this.#keys = keys
  }

  /** Inserts an append that is above the key's deletedThrough. False when its id is there. */
  insert(key: KeyRow, operation: AppendOperation): boolean {
    const { id, position, value } = operation
    const item = itemBytes(id)
    const bytes = id === position ? item : stampBytes(position)
    const text = isOwnId(id) ? null : id
    const digest = digestOf(operation)
    if (this.#connection.run(INSERT, key.keyId, item, text, bytes, digest, value) === 0) {
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
    const existing = row === undefined ? undefined : itemOfRow(row)
    const arriving = itemOf(operation)
    const joined = existing === undefined ? arriving : joinItems(existing, arriving)
    const left = withoutCleared(joined, key.deletedThrough)
    // Nothing is left of it, and then nothing stood: rows keep nothing that a clear covers.
    if (left === undefined) return
    if (existing !== undefined && isSame(existing, left)) return
    this.#write(operation.key, key, row, left)
  }

  /** Takes away what is at or below the key's deletedThrough. */
  dropCleared(name: string, key: KeyRow): void {
    const through = stampBytes(key.deletedThrough!)
    this.#connection.run(CLEAR, key.keyId, through)
    for (const row of this.#connection.all<ItemRow>(CLEARED_IN_PART, key.keyId, through)) {
      const left = withoutCleared(itemOfRow(row), key.deletedThrough)
      if (left !== undefined) this.#write(name, key, row, left)
    }
  }

  /** The greatest stamp of any item of the key. */
  head(keyId: number): Stamp | undefined {
    return headOfItems(this.#connection, keyId)
  }

  #find(keyId: number, id: string): ItemRow | undefined {
    const row = this.#connection.get<ItemRow>(FIND_ITEM, keyId, itemBytes(id))
    if (row !== undefined && row.id !== null) checkSameId(id, row.id)
    return row
  }

  #write(name: string, key: KeyRow, row: ItemRow | undefined, item: Item): void {
    const { id, position, editedAt } = item
    const before = row === undefined ? undefined : itemOfRow(row)
    const digests = digestsOf(name, item, before, row)
    const apart = (own: Stamp | undefined): SqliteValue =>
      own === undefined || own === position ? null : stampBytes(own)
    this.#connection.run(
      REPLACE,
      key.keyId,
      isOwnId(id) ? null : id,
      stampBytes(position),
      itemBytes(id),
      apart(item.appendedAt),
      editedAt === undefined ? null : stampBytes(editedAt),
      apart(item.editedOf),
      isRemoved(item) ? 1 : 0,
      apart(item.removedOf),
      item.appended ?? null,
      item.edited ?? null,
      digests.append,
      digests.edit,
      digests.remove,
    )
    const visible = itemValue(item) !== undefined
    this.#keys.raise(key, position, visible)
    if (!visible && before !== undefined && itemValue(before) !== undefined) this.#keys.lower(key)
  }
}

/** The greatest stamp of any item of the key. */
export function headOfItems(connection: SqliteConnection, keyId: number): Stamp | undefined {
  const read = (sql: string, ...bounds: readonly SqliteValue[]): Stamp | undefined =>
    optionalStamp(connection.get<{ stamp: Uint8Array | null }>(sql, keyId, ...bounds)?.stamp)
  return maxStamp(maxStamp(read(HEAD_OWN, HASHED_ITEMS), read(HEAD_MOVED)), read(HEAD_EDITED))
}

function isSame(a: Item, b: Item): boolean {
  return (
    a.appendedAt === b.appendedAt &&
    a.editedOf === b.editedOf &&
    a.editedAt === b.editedAt &&
    a.removedOf === b.removedOf
  )
}

/** A digest is kept with the value that it was made of, so that it still shows damage to it. */
function digestsOf(
  name: string,
  item: Item,
  before: Item | undefined,
  row: ItemRow | undefined,
): Record<PutOperation['change'], number | null> {
  const digests: Record<PutOperation['change'], number | null> = {
    append: null,
    edit: null,
    remove: null,
  }
  const keptAppend = item.appendedAt === before?.appendedAt
  const keptEdit = item.editedAt === before?.editedAt && item.editedOf === before?.editedOf
  for (const operation of operationsOfItem(name, item)) {
    const { change } = operation
    if (change === 'append' && keptAppend) digests.append = row!.digest
    else if (change === 'edit' && keptEdit) digests.edit = row!.edited_digest
    else digests[change] = digestOf(operation)
  }
  return digests
}
