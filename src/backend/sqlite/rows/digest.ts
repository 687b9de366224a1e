/*
 * Digests of a range, summed by the database over some keys. An operation stands in the range by its
 * place: a put by its own position, which is mostly that of the row, others by their stamp.
 */
import { halvesSql, type StampRange } from '../../../core/digest.ts'
import type { Bucket } from '../../buckets.ts'
import { rowKinds, type RowKinds } from './row-kinds.ts'
import type { SqliteConnection } from '../connection/connection.ts'
import { stampBytes } from './stamp-bytes.ts'

interface Sum {
  readonly bucket: number
  readonly count: number
  readonly low: number
  readonly high: number
}

/** ?1: ids of keys as JSON; ?2 and ?3: the range. CROSS JOIN keeps this order of the tables. */
const ITEMS = 'json_each(?1) j CROSS JOIN everthread_items i ON i.key_id = j.value'
const KEYS = 'json_each(?1) j CROSS JOIN everthread_keys k ON k.key_id = j.value'
const OWN = 'i.item >= ?2 AND i.item < ?3 AND i.position = i.item'
const EDIT_PLACE = 'coalesce(i.edited_of, i.position)'
const REMOVAL_PLACE = 'coalesce(i.removed_of, i.position)'
const MOVED = 'i.position <> i.item AND i.position >= ?2 AND i.position < ?3'

/** The same for a block of rows, ?4 (exclusive) to ?5: in the order of the file, whatever the key. */
const BLOCK = 'i.row_id > ?4 AND i.row_id <= ?5'
function blockPlacesOf({ edited, appended, removed }: RowKinds): string {
  const rows = `SELECT i.position AS place, i.digest AS digest FROM everthread_items i
    WHERE ${BLOCK} AND i.position >= ?2 AND i.position < ?3 AND i.digest IS NOT NULL
      AND +i.appended_at IS NULL`
  const editedRows = `SELECT ${EDIT_PLACE}, i.edited_digest FROM everthread_items i
    WHERE ${BLOCK} AND +i.edited_at IS NOT NULL AND ${EDIT_PLACE} >= ?2 AND ${EDIT_PLACE} < ?3
      AND i.edited_digest IS NOT NULL`
  const removedRows = `SELECT ${REMOVAL_PLACE}, i.removed_digest FROM everthread_items i
    WHERE ${BLOCK} AND +i.removed <> 0 AND ${REMOVAL_PLACE} >= ?2 AND ${REMOVAL_PLACE} < ?3
      AND i.removed_digest IS NOT NULL`
  const appendedRows = `SELECT i.appended_at, i.digest FROM everthread_items i
    WHERE ${BLOCK} AND +i.appended_at >= ?2 AND +i.appended_at < ?3 AND i.digest IS NOT NULL`
  const all = [
    rows,
    ...(edited ? [editedRows] : []),
    ...(appended ? [appendedRows] : []),
    ...(removed ? [removedRows] : []),
  ]
  return all.join('\nUNION ALL\n')
}
const BLOCK_KEYS: string = [
  `SELECT k.deleted_through AS place, k.deleted_digest AS digest FROM everthread_keys k
    WHERE k.key_id > ?4 AND k.key_id <= ?5 AND k.deleted_through >= ?2 AND k.deleted_through < ?3`,
  `SELECT k.register_stamp, k.register_digest FROM everthread_keys k
    WHERE k.key_id > ?4 AND k.key_id <= ?5 AND k.register_stamp >= ?2 AND k.register_stamp < ?3`,
].join('\nUNION ALL\n')
const LAST_ROW = 'SELECT max(row_id) AS last FROM everthread_items'
const LAST_KEY = 'SELECT max(key_id) AS last FROM everthread_keys'

/** Every digest of some keys with its place. */
function placesOf({ moved, edited, appended, removed }: RowKinds): string {
  const own = `SELECT i.position AS place, i.digest AS digest FROM ${ITEMS}
    WHERE ${OWN} AND i.digest IS NOT NULL AND i.appended_at IS NULL`
  const movedRows = `SELECT i.position, i.digest FROM ${ITEMS}
    WHERE ${MOVED} AND i.digest IS NOT NULL AND i.appended_at IS NULL`
  const editedRows = `SELECT ${EDIT_PLACE}, i.edited_digest FROM ${ITEMS}
    WHERE i.edited_at IS NOT NULL AND i.edited_digest IS NOT NULL
      AND ${EDIT_PLACE} >= ?2 AND ${EDIT_PLACE} < ?3`
  const removedRows = `SELECT ${REMOVAL_PLACE}, i.removed_digest FROM ${ITEMS}
    WHERE i.removed <> 0 AND i.position >= ?2 AND i.removed_digest IS NOT NULL
      AND ${REMOVAL_PLACE} >= ?2 AND ${REMOVAL_PLACE} < ?3`
  const appendedRows = `SELECT i.appended_at, i.digest FROM ${ITEMS}
    WHERE i.appended_at >= ?2 AND i.appended_at < ?3 AND i.appended_at IS NOT NULL`
  const registers = `SELECT v.place, v.digest FROM (
      SELECT k.deleted_through AS place, k.deleted_digest AS digest FROM ${KEYS}
      UNION ALL SELECT k.register_stamp, k.register_digest FROM ${KEYS}) v
    WHERE v.place >= ?2 AND v.place < ?3`
  const rows = [
    own,
    ...(moved ? [movedRows] : []),
    ...(edited ? [editedRows] : []),
    ...(appended ? [appendedRows] : []),
    ...(removed ? [removedRows] : []),
    registers,
  ]
  return rows.join('\nUNION ALL\n')
}

/** Adds what these keys have in the range to the buckets, which cut it without gaps, and returns them. */
export function addDigests(
  connection: SqliteConnection,
  { from, to }: StampRange,
  buckets: readonly Bucket[],
  keyIds: readonly number[],
): readonly Bucket[] {
  const ids = JSON.stringify(keyIds)
  const edges = edgesOf(buckets)
  const sql = sumSql(placesOf(rowKinds(connection)), buckets.length, 4)
  return add(buckets, connection.all<Sum>(sql, ids, stampBytes(from), stampBytes(to), ...edges))
}

/** The greatest ids there are: what a pass over the whole file goes up to. */
export function lastIds(connection: SqliteConnection): {
  readonly rows: number
  readonly keys: number
} {
  const last = (sql: string): number => connection.get<{ last: number | null }>(sql)?.last ?? 0
  return { rows: last(LAST_ROW), keys: last(LAST_KEY) }
}

/** The same for a block of rows, or of keys. */
export function addBlockDigests(
  connection: SqliteConnection,
  { from, to }: StampRange,
  buckets: readonly Bucket[],
  table: 'rows' | 'keys',
  after: number,
  last: number,
): readonly Bucket[] {
  const places = table === 'rows' ? blockPlacesOf(rowKinds(connection)) : BLOCK_KEYS
  const sql = sumSql(places, buckets.length, 6)
  const bounds = [stampBytes(from), stampBytes(to), after, last]
  return add(buckets, connection.all<Sum>(sql, null, ...bounds, ...edgesOf(buckets)))
}

/**
 * The start of each bucket but the first, filled up to a power of two with the end of the range, at
 * which nothing stands: so there are few different texts, and few prepared statements.
 */
function edgesOf(buckets: readonly Bucket[]): Uint8Array[] {
  const edges = buckets.slice(1).map((bucket) => stampBytes(bucket.from))
  const end = stampBytes(buckets.at(-1)!.to)
  while (edges.length + 1 < powerOfTwo(buckets.length)) edges.push(end)
  return edges
}

function powerOfTwo(count: number): number {
  return 2 ** Math.ceil(Math.log2(count))
}

function add(buckets: readonly Bucket[], sums: readonly Sum[]): readonly Bucket[] {
  for (const { bucket, count, low, high } of sums) {
    const target = buckets[bucket]!
    target.count += count
    target.low += low
    target.high += high
  }
  return buckets
}

function sumSql(places: string, buckets: number, firstEdge: number): string {
  const halves = halvesSql('digest')
  return `
    SELECT ${bucketSql(0, powerOfTwo(buckets), firstEdge)} AS bucket, count(*) AS count,
      sum(${halves.low}) AS low, sum(${halves.high}) AS high
    FROM (${places}) WHERE ?1 IS ?1 GROUP BY 1`
}

/** The number of the bucket of a place, by halving: the start of bucket i is ?(i + firstEdge - 1). */
function bucketSql(first: number, end: number, firstEdge: number): string {
  if (end - first === 1) return String(first)
  const middle = (first + end) >> 1
  const below = bucketSql(first, middle, firstEdge)
  const above = bucketSql(middle, end, firstEdge)
  return `CASE WHEN place < ?${middle + firstEdge - 1} THEN ${below} ELSE ${above} END`
}
