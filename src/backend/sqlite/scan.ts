/*
 * The operations that make what is in a range, page by page. A page is one moment; between pages
 * others may write. That is harmless: operations merge, and what is written meanwhile is not
 * promised to be in the scan.
 */
import type { StampRange } from '../../core/digest.ts'
import type { JsonText } from '../../core/json.ts'
import { operationsOfItem } from '../../core/merge.ts'
import type { Operation } from '../../core/operation.ts'
import { touchedFrom } from './digest.ts'
import { READ_COLUMNS, itemOfRow, type ReadRow } from './item-row.ts'
import type { SqliteSession } from './session.ts'
import { stampBytes, stampOf } from './stamp-bytes.ts'

/** Where the next page starts. */
export interface ScanCursor {
  readonly keyId: number
  /** The list of rows of the key that is being read; undefined: its registers come first. */
  readonly source?: RowSource
  readonly rowId: number
  readonly place?: Uint8Array
}

export interface ScanPage {
  readonly operations: readonly Operation[]
  /** Undefined at the end. */
  readonly next?: ScanCursor
}

type RowSource = 'own' | 'moved' | 'appended'

interface ScanRow extends ReadRow {
  readonly row_id: number
}

interface KeyOfScan {
  readonly key_id: number
  readonly key: string
  readonly deleted_through: Uint8Array | null
  readonly register_stamp: Uint8Array | null
  readonly register: JsonText | null
}

/** Few enough that a page of the longest values fits into memory. */
const PAGE_ROWS = 64

export const SCAN_START: ScanCursor = { keyId: 0, rowId: 0 }

const NEXT_KEY = `
  SELECT key_id, key, deleted_through, register_stamp, register FROM everthread_keys
  WHERE key_id >= ? AND touched >= ? ORDER BY key_id LIMIT 1`

/** The next source, and the column that a source is ordered by. */
const SOURCES: Readonly<Record<RowSource, { readonly next?: RowSource; readonly sql: string }>> = {
  own: { next: 'moved', sql: sourceSql('item', 'position = item') },
  moved: { next: 'appended', sql: sourceSql('position', 'position <> item') },
  // Rows whose appended value alone stands in the range: the others came before.
  appended: {
    sql: sourceSql(
      'appended_at',
      'appended_at IS NOT NULL AND NOT (position >= ?2 AND position < ?3)',
    ),
  },
}

export function readScanPage(
  session: SqliteSession,
  range: StampRange,
  cursor: ScanCursor,
): ScanPage {
  const touched = stampBytes(touchedFrom(range))
  const operations: Operation[] = []
  let at = cursor
  while (operations.length < PAGE_ROWS) {
    const key = session.get<KeyOfScan>(NEXT_KEY, at.keyId, touched)
    if (key === undefined) return { operations }
    if (at.source === undefined || key.key_id !== at.keyId) {
      operations.push(...registersOf(key, range))
      at = { keyId: key.key_id, source: 'own', rowId: 0 }
    }
    at = readRows(session, range, key, at, operations)
  }
  return { operations, next: at }
}

/** Adds one page of rows of one source, and returns where to go on. */
function readRows(
  session: SqliteSession,
  range: StampRange,
  { key_id: keyId, key }: KeyOfScan,
  { source = 'own', rowId, place = stampBytes(range.from) }: ScanCursor,
  operations: Operation[],
): ScanCursor {
  const { sql, next } = SOURCES[source]
  const from = stampBytes(range.from)
  const to = stampBytes(range.to)
  const rows = session.all<ScanRow>(sql, keyId, from, to, place, rowId, PAGE_ROWS)
  for (const row of rows) {
    for (const operation of operationsOfItem(key, itemOfRow(row))) {
      if (isInside(operation, range)) operations.push(operation)
    }
  }
  const last = rows.at(-1)
  if (rows.length === PAGE_ROWS && last !== undefined) {
    return { keyId, source, rowId: last.row_id, place: placeOf(last, source) }
  }
  return next === undefined ? { keyId: keyId + 1, rowId: 0 } : { keyId, source: next, rowId: 0 }
}

/** Several rows may stand at one place, so the row id says where the last page ended. */
function sourceSql(column: string, condition: string): string {
  return `
    SELECT row_id, ${READ_COLUMNS} FROM everthread_items
    WHERE key_id = ?1 AND ${column} >= ?2 AND ${column} < ?3 AND ${condition}
      AND ${column} >= ?4 AND (${column} > ?4 OR row_id > ?5)
    ORDER BY ${column}, row_id LIMIT ?6`
}

function placeOf(row: ScanRow, source: RowSource): Uint8Array {
  return source === 'appended' ? row.appended_at! : row.position
}

function registersOf(row: KeyOfScan, range: StampRange): Operation[] {
  const { key } = row
  const operations: Operation[] = []
  if (row.deleted_through !== null) {
    operations.push({ kind: 'delete', key, stamp: stampOf(row.deleted_through) })
  }
  if (row.register_stamp !== null) {
    const stamp = stampOf(row.register_stamp)
    operations.push({ kind: 'set', key, stamp, value: row.register! })
  }
  return operations.filter((operation) => isInside(operation, range))
}

function isInside(operation: Operation, { from, to }: StampRange): boolean {
  const place = operation.kind === 'put' ? operation.position : operation.stamp
  return from <= place && place < to
}
