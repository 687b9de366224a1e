/* The digests of an earlier release (`../../renewed-digests.ts`) in all rows, page by page. */
import type { JsonText } from '../../../core/json.ts'
import { earlierValueSql, renewed, renewedParts } from '../../renewed-digests.ts'
import { itemOfRow, type ItemRow } from '../rows/item-row.ts'
import type { SqliteConnection } from '../connection/connection.ts'
import { stampOf } from '../rows/stamp-bytes.ts'

const ROWS = 1_000

const READ_KEYS = `
  SELECT key_id AS row, key, deleted_through, deleted_digest, register_stamp, register_digest,
    ${earlierValueSql('register', 'register_digest')} AS register
  FROM everthread_keys WHERE key_id > ? ORDER BY key_id LIMIT ${ROWS}`
const WRITE_DELETED = 'UPDATE everthread_keys SET deleted_digest = ? WHERE key_id = ?'
const WRITE_REGISTER = `
  UPDATE everthread_keys SET register_digest = ?, register = coalesce(?, register) WHERE key_id = ?`
const READ_ITEMS = `
  SELECT i.row_id AS row, k.key, i.item, i.id, i.position, i.appended_at, i.edited_at, i.edited_of,
    i.removed, i.removed_of, i.digest, i.edited_digest, i.removed_digest,
    ${earlierValueSql('i.appended', 'i.digest')} AS appended,
    ${earlierValueSql('i.edited', 'i.edited_digest')} AS edited
  FROM everthread_items i JOIN everthread_keys k ON k.key_id = i.key_id
  WHERE i.row_id > ? ORDER BY i.row_id LIMIT ${ROWS}`
const WRITE_ITEM = `
  UPDATE everthread_items SET digest = ?, edited_digest = ?, removed_digest = ?,
    appended = coalesce(?, appended), edited = coalesce(?, edited)
  WHERE row_id = ?`

interface KeyRow {
  readonly row: number
  readonly key: string
  readonly deleted_through: Uint8Array | null
  readonly deleted_digest: number | null
  readonly register_stamp: Uint8Array | null
  readonly register_digest: number | null
  readonly register: JsonText | null
}

interface KeyedItemRow extends ItemRow {
  readonly row: number
  readonly key: string
}

export function renewDigests(connection: SqliteConnection): void {
  eachRow<KeyRow>(connection, READ_KEYS, (row) => renewKey(connection, row))
  eachRow<KeyedItemRow>(connection, READ_ITEMS, (row) => renewItem(connection, row))
}

function eachRow<Row extends { readonly row: number }>(
  connection: SqliteConnection,
  sql: string,
  renew: (row: Row) => void,
): void {
  for (let last = 0; ;) {
    const rows = connection.all<Row>(sql, last)
    for (const row of rows) {
      renew(row)
      last = row.row
    }
    if (rows.length === 0) return
  }
}

function renewKey(connection: SqliteConnection, row: KeyRow): void {
  const { key } = row
  if (row.deleted_through !== null && row.deleted_digest !== null) {
    const stamp = stampOf(row.deleted_through)
    const { digest } = renewed({ kind: 'delete', key, stamp }, row.deleted_digest)
    connection.run(WRITE_DELETED, digest, row.row)
  }
  if (row.register_stamp !== null && row.register_digest !== null) {
    const stamp = stampOf(row.register_stamp)
    const operation = { kind: 'set', key, stamp, value: row.register! } as const
    const { digest, value } = renewed(operation, row.register_digest)
    connection.run(WRITE_REGISTER, digest, value ?? null, row.row)
  }
}

function renewItem(connection: SqliteConnection, row: KeyedItemRow): void {
  const { append, edit, remove } = renewedParts(row.key, itemOfRow(row), {
    append: row.digest,
    edit: row.edited_digest,
    remove: row.removed_digest,
  })
  const digests = [append, edit, remove].map((part) => part?.digest ?? null)
  const values = [append, edit].map((part) => part?.value ?? null)
  connection.run(WRITE_ITEM, ...digests, ...values, row.row)
}
