/*
 * Writing a value over a damaged one. Merging would leave it: the stamps are the same. Each statement
 * therefore changes a row only where it still has the stamp of the operation.
 */
import { digestOf } from '../../../core/digest.ts'
import type { Operation, PutOperation } from '../../../core/operation.ts'
import { itemKeyOf } from '../rows/item-key.ts'
import type { PgStatement } from '../connection/pg-types.ts'
import type { Session } from '../connection/session.ts'
import { prepared } from '../connection/statement.ts'
import type { Tables } from '../rows/tables.ts'

/** Returns how many rows were written. */
export async function repairRows(
  session: Session,
  tables: Tables,
  operations: readonly Operation[],
): Promise<number> {
  return await session.transaction(async () => {
    let written = 0
    for (const operation of operations) {
      const { rows } = await session.query(statementOf(tables, operation))
      written += rows.length
    }
    return written
  })
}

function statementOf(tables: Tables, operation: Operation): PgStatement {
  const { keys } = tables
  const digest = digestOf(operation)
  switch (operation.kind) {
    case 'set':
      return prepared(
        `UPDATE ${keys} SET register_digest = $2, register_value = $4
         WHERE key = $1 AND register_stamp = $3::uuid
           AND (register_digest, register_value) IS DISTINCT FROM ($2::bigint, $4::text)
         RETURNING 1`,
        [operation.key, digest, operation.stamp, operation.value],
      )
    case 'delete':
      return prepared(
        `UPDATE ${keys} SET deleted_digest = $2
         WHERE key = $1 AND deleted_through = $3::uuid AND deleted_digest IS DISTINCT FROM $2::bigint
         RETURNING 1`,
        [operation.key, digest, operation.stamp],
      )
    case 'put':
      return putStatement(tables, operation, digest)
  }
}

function putStatement({ items }: Tables, operation: PutOperation, digest: number): PgStatement {
  const { key, id, position, stamp, change } = operation
  const { item } = itemKeyOf(id)
  switch (change) {
    case 'append':
      return prepared(
        `UPDATE ${items} SET digest = $3, appended = $5
         WHERE key = $1 AND item = $2::uuid AND COALESCE(appended_at, position) = $4::uuid
           AND digest IS NOT NULL
           AND (digest, appended) IS DISTINCT FROM ($3::bigint, $5::text)
         RETURNING 1`,
        [key, item, digest, position, operation.value],
      )
    case 'edit':
      return prepared(
        `UPDATE ${items} SET edited_digest = $3, edited = $5
         WHERE key = $1 AND item = $2::uuid AND edited_at = $4::uuid
           AND COALESCE(edited_of, position) = $6::uuid
           AND (edited_digest, edited) IS DISTINCT FROM ($3::bigint, $5::text)
         RETURNING 1`,
        [key, item, digest, stamp, operation.value, position],
      )
    case 'remove':
      return prepared(
        `UPDATE ${items} SET removed_digest = $3
         WHERE key = $1 AND item = $2::uuid AND removed
           AND COALESCE(removed_of, position) = $4::uuid
           AND removed_digest IS DISTINCT FROM $3::bigint
         RETURNING 1`,
        [key, item, digest, position],
      )
  }
}
