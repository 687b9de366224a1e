/*
 * Writing a value over a damaged one. Merging would leave it: the stamps are the same. Each statement
 * therefore changes a row only where it still has the stamp of the operation.
 */
import { digestOf } from '../../../core/digest.ts'
import type { Operation, PutOperation } from '../../../core/operation.ts'
import type { SqliteValue } from '../connection/driver.ts'
import type { SqliteConnection } from '../connection/connection.ts'
import { itemBytes, stampBytes } from '../rows/stamp-bytes.ts'

const KEY_ID = '(SELECT key_id FROM everthread_keys WHERE key = ?1)'
const APPEND = `
  UPDATE everthread_items SET digest = ?3, appended = ?5
  WHERE key_id = ${KEY_ID} AND item = ?2 AND coalesce(appended_at, position) = ?4
    AND digest IS NOT NULL AND (digest <> ?3 OR appended IS NOT ?5)`
const EDIT = `
  UPDATE everthread_items SET edited_digest = ?3, edited = ?5
  WHERE key_id = ${KEY_ID} AND item = ?2 AND edited_at = ?4
    AND coalesce(edited_of, position) = ?6 AND (edited_digest IS NOT ?3 OR edited IS NOT ?5)`
const REMOVE = `
  UPDATE everthread_items SET removed_digest = ?3
  WHERE key_id = ${KEY_ID} AND item = ?2 AND removed <> 0 AND coalesce(removed_of, position) = ?4
    AND removed_digest IS NOT ?3`
const SET = `
  UPDATE everthread_keys SET register_digest = ?2, register = ?4
  WHERE key = ?1 AND register_stamp = ?3 AND (register_digest IS NOT ?2 OR register IS NOT ?4)`
const DELETE = `
  UPDATE everthread_keys SET deleted_digest = ?2
  WHERE key = ?1 AND deleted_through = ?3 AND deleted_digest IS NOT ?2`

/** Returns how many rows were written. */
export function repairRows(connection: SqliteConnection, operations: readonly Operation[]): number {
  let written = 0
  for (const operation of operations) written += connection.run(...statementOf(operation))
  return written
}

function statementOf(operation: Operation): [sql: string, ...values: SqliteValue[]] {
  const digest = digestOf(operation)
  const { key, kind } = operation
  if (kind === 'set') return [SET, key, digest, stampBytes(operation.stamp), operation.value]
  if (kind === 'delete') return [DELETE, key, digest, stampBytes(operation.stamp)]
  return putStatement(operation, digest)
}

function putStatement(
  operation: PutOperation,
  digest: number,
): [sql: string, ...values: SqliteValue[]] {
  const { key, id, stamp, change } = operation
  const position = stampBytes(operation.position)
  switch (change) {
    case 'append':
      return [APPEND, key, itemBytes(id), digest, position, operation.value]
    case 'edit':
      return [EDIT, key, itemBytes(id), digest, stampBytes(stamp), operation.value, position]
    case 'remove':
      return [REMOVE, key, itemBytes(id), digest, position]
  }
}
