import type { BucketDigest, StampRange } from '../../../core/digest.ts'
import type { JsonText } from '../../../core/json.ts'
import { operationsOfItem } from '../../../core/merge.ts'
import type { Operation } from '../../../core/operation.ts'
import { STAMP_MIN, stampMs, type Stamp } from '../../../core/stamp.ts'
import { bucketsOf } from '../../buckets.ts'
import { isInRange } from '../../key-states.ts'
import type { StoredOperation } from '../../replica-backend.ts'
import { itemFrom } from '../rows/item-row.ts'
import {
  APART_KINDS,
  digestSql,
  SCAN_ORDER,
  scanItemsSql,
  scanKeysSql,
  type ScanKind,
} from './range-sql.ts'
import type { PgResult, PgStatement } from '../connection/pg-types.ts'
import { prepared } from '../connection/statement.ts'
import type { Tables } from '../rows/tables.ts'

/** Rows of one page of a scan. */
const SCAN_ROWS = 1_000
/** A longer range is read by key: then most rows of most tables are in it. Milliseconds. */
const WIDE_MS = 7 * 24 * 60 * 60 * 1_000
/** Pieces that a narrow range with many rows is read in. */
const SLICES = 256

/**
 * One statement on a connection that is given back before the answer is used. `byBlocks`: its rows
 * are found by the index of blocks.
 */
export type Ask = (statement: PgStatement, byBlocks?: boolean) => Promise<PgResult>

export async function digestRange(
  ask: Ask,
  tables: Tables,
  range: StampRange,
  count: number,
): Promise<BucketDigest[]> {
  const buckets = bucketsOf(range, count)
  const edges = buckets.map(({ from }) => from)
  const text = digestSql(tables)
  const { rows } = await ask(prepared(text, [range.from, range.to, edges]), true)
  for (const row of rows) {
    const bucket = buckets[Number(row['bucket']) - 1]!
    bucket.count = Number(row['count'])
    bucket.low = Number(row['low'])
    bucket.high = Number(row['high'])
  }
  return buckets
}

/** Page by page: no connection is held while the caller works on what was yielded. */
export async function* scanRange(
  ask: Ask,
  tables: Tables,
  range: StampRange,
): AsyncIterable<StoredOperation> {
  yield* scanKeys(ask, tables, range)
  if (range.from === STAMP_MIN || stampMs(range.to) - stampMs(range.from) > WIDE_MS) {
    yield* scanItems(ask, tables, range, 'all')
    return
  }
  const first = await ask(itemsPage(tables, range, 'placed', undefined), true)
  if (first.rows.length < SCAN_ROWS) {
    // A single page: mostly it is little that is asked for.
    yield* storedIn(first.rows, range, 'placed')
    for (const kind of APART_KINDS) yield* scanItems(ask, tables, range, kind)
    return
  }
  for (const slice of await slices(ask, tables, range)) {
    yield* scanItems(ask, tables, slice, 'placed')
    for (const kind of APART_KINDS) yield* scanItems(ask, tables, slice, kind)
  }
}

async function* scanKeys(
  ask: Ask,
  tables: Tables,
  range: StampRange,
): AsyncIterable<StoredOperation> {
  let after = ''
  for (;;) {
    const values = [range.from, range.to, after, SCAN_ROWS]
    const { rows } = await ask(prepared(scanKeysSql(tables), values))
    for (const row of rows) {
      const key = row['key'] as string
      const deleted = row['deleted_through'] as Stamp | null
      const stamp = row['register_stamp'] as Stamp | null
      const found: StoredOperation[] = []
      if (deleted !== null) {
        const operation: Operation = { kind: 'delete', key, stamp: deleted }
        found.push({ operation, digest: digestIn(row, 'deleted_digest') })
      }
      if (stamp !== null && stamp > (deleted ?? STAMP_MIN)) {
        const value = (row['register_value'] ?? '') as JsonText
        const operation: Operation = { kind: 'set', key, stamp, value }
        found.push({ operation, digest: digestIn(row, 'register_digest') })
      }
      yield* found.filter(({ operation }) => isInRange(operation, range))
      after = key
    }
    if (rows.length < SCAN_ROWS) return
  }
}

async function* scanItems(
  ask: Ask,
  tables: Tables,
  range: StampRange,
  kind: ScanKind,
): AsyncIterable<StoredOperation> {
  let last: Record<string, unknown> | undefined
  for (;;) {
    const { rows } = await ask(itemsPage(tables, range, kind, last), kind === 'placed')
    yield* storedIn(rows, range, kind)
    if (rows.length < SCAN_ROWS) return
    last = rows.at(-1)!
  }
}

/** The page after a row, or the first one. */
function itemsPage(
  tables: Tables,
  { from, to }: StampRange,
  kind: ScanKind,
  last: Record<string, unknown> | undefined,
): PgStatement {
  const after = SCAN_ORDER[kind].map((name) => last?.[name] ?? (name === 'key' ? '' : STAMP_MIN))
  const bounds = kind === 'all' ? [] : [from, to]
  return prepared(scanItemsSql(tables, kind), [SCAN_ROWS, ...bounds, ...after])
}

function* storedIn(
  rows: readonly Record<string, unknown>[],
  range: StampRange,
  kind: ScanKind,
): Iterable<StoredOperation> {
  for (const row of rows) {
    const item = itemFrom(withEmptyValues(row), (row['d'] as Stamp | null) ?? undefined)
    if (item === undefined) continue
    for (const operation of operationsOfItem(row['key'] as string, item)) {
      if (!isInRange(operation, range)) continue
      // With a range, parts that stand apart from their row come from an index of their own.
      const from = operation.position === row['position'] ? 'placed' : operation.change
      if (kind !== 'all' && kind !== from) continue
      yield { operation, digest: digestIn(row, DIGEST_COLUMNS[operation.change]) }
    }
  }
}

/** The range in pieces of some pages each; the index finds rows by block and not in order. */
async function slices(ask: Ask, tables: Tables, range: StampRange): Promise<StampRange[]> {
  const result: StampRange[] = []
  let from = range.from
  let count = 0
  for (const bucket of await digestRange(ask, tables, range, SLICES)) {
    if (count > 0 && count + bucket.count > SCAN_ROWS) {
      result.push({ from, to: bucket.from })
      from = bucket.from
      count = 0
    }
    count += bucket.count
  }
  result.push({ from, to: range.to })
  return result
}

const DIGEST_COLUMNS = {
  append: 'digest',
  edit: 'edited_digest',
  remove: 'removed_digest',
} as const

/** A value that is gone though its digest is there is damage: it reads as empty. */
function withEmptyValues(row: Record<string, unknown>): Record<string, unknown> {
  const lostAppend = row['digest'] !== null && row['appended'] === null
  const lostEdit = row['edited_at'] !== null && row['edited'] === null
  if (!lostAppend && !lostEdit) return row
  return { ...row, ...(lostAppend && { appended: '' }), ...(lostEdit && { edited: '' }) }
}

/** No digest is below 0: -1 is that of a row which has lost it. */
function digestIn(row: Record<string, unknown>, column: string): number {
  return row[column] === null ? -1 : Number(row[column])
}
