/*
 * The operations that make what some keys have in a range, page by page, with their stored digests. A
 * page is one moment; between pages others may write. That is harmless: operations merge, and what is
 * written meanwhile is not promised to be in the scan.
 */
import type { StampRange } from '../../../core/digest.ts'
import type { JsonText } from '../../../core/json.ts'
import { operationsOfItem } from '../../../core/merge.ts'
import type { Operation, PutOperation } from '../../../core/operation.ts'
import type { StoredOperation } from '../../replica-backend.ts'
import { isInRange } from '../../key-states.ts'
import { ITEM_COLUMNS, itemOfRow, type ItemRow } from './item-row.ts'
import { rowKinds, type RowKinds } from './row-kinds.ts'
import type { SqliteConnection } from '../connection/connection.ts'
import { stampBytes, stampOf } from './stamp-bytes.ts'

/** Where the next page starts. */
export interface ScanCursor {
  /** The place of the key in the list of keys. */
  readonly index: number
  /** The list of rows of the key that is being read; undefined: its registers come first. */
  readonly source?: RowSource
  readonly rowId: number
  readonly place?: Uint8Array
}

export interface ScanPage {
  readonly operations: readonly StoredOperation[]
  /** Undefined at the end. */
  readonly next?: ScanCursor
}

type RowSource = 'own' | 'moved' | 'appended' | 'edited' | 'removed'

interface ScanRow extends ItemRow {
  readonly row_id: number
}

interface KeyOfScan {
  readonly key_id: number
  readonly key: string
  readonly deleted_through: Uint8Array | null
  readonly deleted_digest: number | null
  readonly register_stamp: Uint8Array | null
  readonly register_digest: number | null
  readonly register: JsonText | null
}

/** Few enough that a page of the longest values fits into memory. */
const PAGE_ROWS = 64
/** The digest of what has none: no digest is below 0. */
const NO_DIGEST = -1

export const SCAN_START: ScanCursor = { index: 0, rowId: 0 }

const KEY = `
  SELECT key_id, key, deleted_through, deleted_digest, register_stamp, register_digest, register
  FROM everthread_keys WHERE key_id = ?`

/** Which of these keys have anything in the range. ?1: ids as JSON; ?2 and ?3: the range. */
function withRowsSql({ moved, appended, edited, removed }: RowKinds): string {
  const movedRows = `
    OR EXISTS (SELECT 1 FROM everthread_items i
      WHERE i.key_id = k.key_id AND i.position >= ?2 AND i.position < ?3 AND i.position <> i.item)`
  const apart = (column: string): string => `
    OR EXISTS (SELECT 1 FROM everthread_items i
      WHERE i.key_id = k.key_id AND i.${column} >= ?2 AND i.${column} < ?3
        AND i.${column} IS NOT NULL)`
  return `
  SELECT k.key_id FROM json_each(?1) j CROSS JOIN everthread_keys k ON k.key_id = j.value
  WHERE (k.deleted_through >= ?2 AND k.deleted_through < ?3)
    OR (k.register_stamp >= ?2 AND k.register_stamp < ?3)
    OR EXISTS (SELECT 1 FROM everthread_items i
      WHERE i.key_id = k.key_id AND i.item >= ?2 AND i.item < ?3 AND i.position = i.item)
    ${moved ? movedRows : ''} ${appended ? apart('appended_at') : ''}
    ${edited ? apart('edited_of') : ''} ${removed ? apart('removed_of') : ''}
  ORDER BY k.key_id`
}

export function keysWithRows(
  connection: SqliteConnection,
  { from, to }: StampRange,
  keyIds: readonly number[],
): readonly number[] {
  const ids = JSON.stringify(keyIds)
  const sql = withRowsSql(rowKinds(connection))
  const rows = connection.all<{ key_id: number }>(sql, ids, stampBytes(from), stampBytes(to))
  return rows.map((row) => row.key_id)
}

/** The next source, and the column that a source is ordered by. */
const SOURCES: Readonly<Record<RowSource, { readonly next?: RowSource; readonly sql: string }>> = {
  own: { next: 'moved', sql: sourceSql('item', 'position = item') },
  moved: { next: 'appended', sql: sourceSql('position', 'position <> item') },
  // Rows of which a part alone stands in the range: the others came before.
  appended: {
    next: 'edited',
    sql: sourceSql('appended_at', apartSql('appended_at', ['position'])),
  },
  edited: {
    next: 'removed',
    sql: sourceSql('edited_of', apartSql('edited_of', ['position', 'appended_at'])),
  },
  removed: {
    sql: sourceSql('removed_of', apartSql('removed_of', ['position', 'appended_at', 'edited_of'])),
  },
}

function apartSql(column: string, others: readonly string[]): string {
  const isElsewhere = (other: string): string =>
    `(+${other} IS NULL OR NOT (+${other} >= ?2 AND +${other} < ?3))`
  return [`${column} IS NOT NULL`, ...others.map(isElsewhere)].join(' AND ')
}

export function readScanPage(
  connection: SqliteConnection,
  range: StampRange,
  keyIds: readonly number[],
  cursor: ScanCursor,
): ScanPage {
  const operations: StoredOperation[] = []
  let at = cursor
  while (operations.length < PAGE_ROWS) {
    const keyId = keyIds[at.index]
    if (keyId === undefined) return { operations }
    const key = connection.get<KeyOfScan>(KEY, keyId)!
    if (at.source === undefined) {
      operations.push(...registersOf(key).filter(({ operation }) => isInRange(operation, range)))
      at = { index: at.index, source: 'own', rowId: 0 }
    }
    at = readRows(connection, range, key, at, operations)
  }
  return { operations, next: at }
}

/** Adds one page of rows of one source, and returns where to go on. */
function readRows(
  connection: SqliteConnection,
  range: StampRange,
  { key_id: keyId, key }: KeyOfScan,
  { index, source = 'own', rowId, place = stampBytes(range.from) }: ScanCursor,
  operations: StoredOperation[],
): ScanCursor {
  const { sql, next } = SOURCES[source]
  const from = stampBytes(range.from)
  const to = stampBytes(range.to)
  const rows = connection.all<ScanRow>(sql, keyId, from, to, place, rowId, PAGE_ROWS)
  for (const row of rows) {
    for (const stored of storedOf(key, row)) {
      if (isInRange(stored.operation, range)) operations.push(stored)
    }
  }
  const last = rows.at(-1)
  if (rows.length === PAGE_ROWS && last !== undefined) {
    return { index, source, rowId: last.row_id, place: positionIn(last, source) }
  }
  return next === undefined ? { index: index + 1, rowId: 0 } : { index, source: next, rowId: 0 }
}

/** Several rows may stand at one place, so the row id says where the last page ended. */
function sourceSql(column: string, condition: string): string {
  return `
    SELECT row_id, ${ITEM_COLUMNS} FROM everthread_items
    WHERE key_id = ?1 AND ${column} >= ?2 AND ${column} < ?3 AND ${condition}
      AND ${column} >= ?4 AND (${column} > ?4 OR row_id > ?5)
    ORDER BY ${column}, row_id LIMIT ?6`
}

function positionIn(row: ScanRow, source: RowSource): Uint8Array {
  switch (source) {
    case 'own':
    case 'moved':
      return row.position
    case 'appended':
      return row.appended_at!
    case 'edited':
      return row.edited_of!
    case 'removed':
      return row.removed_of!
  }
}

/** A value that is gone though its digest is there is damage too: it reads as empty. */
function storedOf(key: string, row: ItemRow): StoredOperation[] {
  const lostAppend = row.digest !== null && row.appended === null
  const lostEdit = row.edited_at !== null && row.edited === null
  const empty = '' as JsonText
  const whole: ItemRow = {
    ...row,
    ...(lostAppend && { appended: empty }),
    ...(lostEdit && { edited: empty }),
  }
  return operationsOfItem(key, itemOfRow(whole)).map((operation) => ({
    operation,
    digest: digestIn(row, operation.change) ?? NO_DIGEST,
  }))
}

function digestIn(row: ItemRow, change: PutOperation['change']): number | null {
  switch (change) {
    case 'append':
      return row.digest
    case 'edit':
      return row.edited_digest
    case 'remove':
      return row.removed_digest
  }
}

function registersOf(row: KeyOfScan): StoredOperation[] {
  const { key } = row
  const stored: StoredOperation[] = []
  if (row.deleted_through !== null) {
    const operation: Operation = { kind: 'delete', key, stamp: stampOf(row.deleted_through) }
    stored.push({ operation, digest: row.deleted_digest ?? NO_DIGEST })
  }
  if (row.register_stamp !== null) {
    const stamp = stampOf(row.register_stamp)
    const value = row.register ?? ('' as JsonText)
    const digest = row.register_digest ?? NO_DIGEST
    stored.push({ operation: { kind: 'set', key, stamp, value }, digest })
  }
  return stored
}
