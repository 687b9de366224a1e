import { digestOf } from '../../../core/digest.ts'
import type { AppendOperation, Operation } from '../../../core/operation.ts'
import { maxStamp, type Stamp } from '../../../core/stamp.ts'
import type { BatchCall } from '../../batcher.ts'
import type { ApplyResult } from '../../replica-backend.ts'
import { answerAppends, coarse } from './append-answers.ts'
import { appendSql } from './append-sql.ts'
import { bigintArray, textArray, uuidArray } from './binary-array.ts'
import { isOwnItem } from '../rows/item-key.ts'
import { cursorsOf, hintsOf } from './marks.ts'
import type { PgStatement } from '../connection/pg-types.ts'
import { prepared } from '../connection/statement.ts'
import type { Tables } from '../rows/tables.ts'

/**
 * The statement for calls that only append, each item under its position; undefined when one needs more
 * (`batch.ts`): another change, a caller's id, a judged group of several, which goes whole or not at
 * all, or an item that comes twice.
 */
export function appendStatement(
  tables: Tables,
  calls: readonly BatchCall[],
): PgStatement | undefined {
  const rows = rowsOf(calls)
  if (rows === undefined) return undefined
  const hints = hintsOf(calls)
  const cursors = cursorsOf(calls)
  const text = appendSql(tables, { hints: hints !== undefined, cursors: cursors !== undefined })
  return prepared(text, [
    textArray(rows.map(({ key }) => key)),
    uuidArray(rows.map(({ id }) => id)),
    textArray(rows.map(({ value }) => value)),
    bigintArray(rows.map(digestOf)),
    coarse(rows.reduce<Stamp>((last, { stamp }) => maxStamp(last, stamp), rows[0]!.stamp)),
    ...(hints ?? []),
    ...(cursors ?? []),
  ])
}

export function appendResults(
  calls: readonly BatchCall[],
  row: Record<string, unknown>,
): ApplyResult[] {
  const identity = row['identity'] as string
  const through = row['cleared_through'] as Stamp[]
  const cleared = new Map((row['cleared'] as string[]).map((key, i) => [key, through[i]!]))
  return calls.map((call) => ({ identity, applied: answerAppends(call, cleared) }))
}

function rowsOf(calls: readonly BatchCall[]): readonly AppendOperation[] | undefined {
  const rows: AppendOperation[] = []
  const items = new Set<string>()
  for (const { operations, decide, unique, conditions } of calls) {
    if (conditions !== undefined) return undefined
    if (decide && (unique || operations.length > 1)) return undefined
    for (const operation of operations) {
      if (!isOwnAppend(operation) || items.has(operation.id)) return undefined
      items.add(operation.id)
      rows.push(operation)
    }
  }
  return rows.length === 0 ? undefined : rows
}

function isOwnAppend(operation: Operation): operation is AppendOperation {
  return (
    operation.kind === 'put' &&
    operation.change === 'append' &&
    operation.id === (operation.position as string) &&
    isOwnItem(operation.id)
  )
}
