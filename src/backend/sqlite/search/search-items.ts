import { STAMP_LIMIT, STAMP_MIN } from '../../../core/stamp.ts'
import type { FoundPage, SearchQuery } from '../../replica-backend.ts'
import { buildingSearch, noSearch, SEARCH_OFF } from '../../search/search-state.ts'
import type { SqliteConnection } from '../connection/connection.ts'
import { HAS_VALUE, itemOfRow, READ_COLUMNS, type ReadRow } from '../rows/item-row.ts'
import { checkClear } from '../rows/key-table.ts'
import { stampBytes } from '../rows/stamp-bytes.ts'
import { wordOf } from './index-items.ts'
import { readProgress } from './index-tables.ts'
import { firstPlaceOf, SPARE_PLACES } from './place.ts'

const COLUMNS = READ_COLUMNS.split(', ')
  .map((name) => `i.${name}`)
  .join(', ')
/** The index gives its rows in the order of places, so that it costs what is shown, not what is there. */
const SEARCH = `
  SELECT k.key, k.deleted_through, k.deleted_digest, ${COLUMNS}
  FROM everthread_search
  CROSS JOIN everthread_search_rows r ON r.place = everthread_search.rowid
  CROSS JOIN everthread_items i ON i.row_id = r.row_id
  CROSS JOIN everthread_keys k ON k.key_id = i.key_id
  WHERE everthread_search MATCH ?1
    AND everthread_search.rowid <= CAST(?2 AS INTEGER)
    AND everthread_search.rowid >= CAST(?3 AS INTEGER)
    AND i.position < ?4 AND i.position > ?5 AND ${HAS_VALUE}
  ORDER BY everthread_search.rowid DESC LIMIT ?6`

interface FoundRow extends ReadRow {
  readonly key: string
  readonly deleted_through: Uint8Array | null
  readonly deleted_digest: number | null
}

export function searchItems(
  connection: SqliteConnection,
  { numbers, before = STAMP_LIMIT, after = STAMP_MIN, limit }: SearchQuery,
  known: boolean,
): Omit<FoundPage, 'identity'> | undefined {
  const progress = readProgress(connection)
  if (progress === undefined) throw noSearch(SEARCH_OFF)
  if (!progress.isBuilt) throw noSearch(buildingSearch(progress.indexed, progress.items))
  if (progress.hasMore && !known) return undefined
  const rows = connection.all<FoundRow>(
    SEARCH,
    numbers.map(wordOf).join(' '),
    // A bound may be a time: all places of its count are looked at, and positions compared.
    String(firstPlaceOf(before) + BigInt(SPARE_PLACES - 1)),
    String(firstPlaceOf(after)),
    stampBytes(before),
    stampBytes(after),
    // Those of one count come in any order.
    limit + SPARE_PLACES + 1,
  )
  for (const { key, ...row } of rows) checkClear(key, row)
  const found = rows.map((row) => ({ key: row.key, item: itemOfRow(row) }))
  found.sort((a, b) => (a.item.position > b.item.position ? -1 : 1))
  if (found.length <= limit) return { found, done: true }
  const page = found.slice(0, limit)
  return { found: page, done: false, edge: page.at(-1)!.item.position }
}
