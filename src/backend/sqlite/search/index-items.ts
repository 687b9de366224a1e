import { itemValue } from '../../../core/merge.ts'
import { numbersOfItem } from '../../../core/search/search-numbers.ts'
import type { IndexProgress } from '../../search/search-indexer.ts'
import type { SqliteConnection } from '../connection/connection.ts'
import { itemOfRow, READ_COLUMNS, type ReadRow } from '../rows/item-row.ts'
import { readProgress } from './index-tables.ts'
import { firstPlaceOf } from './place.ts'

/** Items of one piece of work: saves wait for it. */
const ROWS = 200
/** Items that share a millisecond and a counter; more of them than any store makes. */
const PLACES_MAX = 10_000

const COLUMNS = READ_COLUMNS.split(', ')
  .map((name) => `i.${name}`)
  .join(', ')
const MARKED = `
  SELECT m.row_id, k.key, ${COLUMNS} FROM everthread_search_marks m
  LEFT JOIN everthread_items i ON i.row_id = m.row_id
  LEFT JOIN everthread_keys k ON k.key_id = i.key_id
  ORDER BY m.row_id LIMIT ${ROWS}`
const UNMARK = 'DELETE FROM everthread_search_marks WHERE row_id = ?'
const UNBUILT = `
  SELECT i.row_id, k.key, ${COLUMNS} FROM everthread_items i
  LEFT JOIN everthread_keys k ON k.key_id = i.key_id
  WHERE i.row_id > ? AND i.row_id <= ? ORDER BY i.row_id LIMIT ${ROWS}`
const BUILT = 'UPDATE everthread_search_state SET next = ?'
const FIND_PLACE = `
  SELECT CAST(place AS TEXT) AS place FROM everthread_search_rows WHERE row_id = ?`
const TAKE_PLACE = `
  INSERT INTO everthread_search_rows (place, row_id) VALUES (CAST(? AS INTEGER), ?)
  ON CONFLICT (place) DO NOTHING`
const LEAVE_PLACE = 'DELETE FROM everthread_search_rows WHERE row_id = ?'
const ADD = 'INSERT INTO everthread_search (rowid, numbers) VALUES (CAST(? AS INTEGER), ?)'
const REMOVE = 'DELETE FROM everthread_search WHERE rowid = CAST(? AS INTEGER)'

/** A row of the items; all but its number is NULL when it is gone. */
interface IndexedRow extends ReadRow {
  readonly row_id: number
  readonly key: string | null
}

/** Indexes some of what is marked, or of what was there before; undefined without an index. */
export function indexItems(connection: SqliteConnection): IndexProgress | undefined {
  const progress = readProgress(connection)
  if (progress === undefined) return undefined
  const marked = connection.all<IndexedRow>(MARKED)
  for (const row of marked) {
    indexRow(connection, row)
    connection.run(UNMARK, row.row_id)
  }
  const isFull = marked.length === ROWS
  if (progress.isBuilt || isFull) return { ...progress, hasMore: isFull || !progress.isBuilt }
  const { indexed, items } = progress
  const unbuilt = connection.all<IndexedRow>(UNBUILT, indexed, items)
  for (const row of unbuilt) indexRow(connection, row)
  const next = unbuilt.length < ROWS ? items : unbuilt.at(-1)!.row_id
  connection.run(BUILT, next)
  return { hasMore: next < items, isBuilt: next >= items, indexed: next, items }
}

function indexRow(connection: SqliteConnection, row: IndexedRow): void {
  const { row_id: id, key } = row
  const before = connection.get<{ place: string }>(FIND_PLACE, id)
  if (before !== undefined) {
    connection.run(REMOVE, before.place)
    connection.run(LEAVE_PLACE, id)
  }
  const item = key === null ? undefined : itemOfRow(row)
  const value = item === undefined ? undefined : itemValue(item)
  if (key === null || item === undefined || value === undefined) return
  const numbers = numbersOfItem(key, item.id, value)
  if (numbers === undefined) return
  const place = takePlace(connection, id, firstPlaceOf(item.position))
  connection.run(ADD, place, numbers.map(wordOf).join(' '))
}

function takePlace(connection: SqliteConnection, id: number, first: bigint): string {
  for (let i = 0; i < PLACES_MAX; i++) {
    const place = String(first + BigInt(i))
    if (connection.run(TAKE_PLACE, place, id) > 0) return place
  }
  throw new RangeError('SQLite: too many items have the same position')
}

/** A number as a word of FTS5: digits and small letters, so none of its operators. */
export function wordOf(number: number): string {
  return (number >>> 0).toString(36)
}
