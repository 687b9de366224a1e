/*
 * Digests of a range, summed by the database over some keys. An operation stands in the range by its
 * place: a put by its position (an append by the one that brought it), others by their stamp.
 */
import type { StampRange } from '../../core/digest.ts'
import type { Bucket } from '../buckets.ts'
import type { SqliteSession } from './session.ts'
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
const MOVED = 'i.position <> i.item AND i.position >= ?2 AND i.position < ?3'

/** Every digest with its place. */
const PLACES: string = [
  `SELECT i.position AS place, i.digest AS digest FROM ${ITEMS}
    WHERE ${OWN} AND i.digest IS NOT NULL AND i.appended_at IS NULL`,
  `SELECT i.position, i.digest FROM ${ITEMS}
    WHERE ${MOVED} AND i.digest IS NOT NULL AND i.appended_at IS NULL`,
  `SELECT i.position, i.edited_digest FROM ${ITEMS}
    WHERE i.edited_at IS NOT NULL AND i.edited_digest IS NOT NULL
      AND i.position >= ?2 AND i.position < ?3`,
  `SELECT i.appended_at, i.digest FROM ${ITEMS}
    WHERE i.appended_at >= ?2 AND i.appended_at < ?3 AND i.appended_at IS NOT NULL`,
  `SELECT k.deleted_through, k.deleted_digest FROM ${KEYS}
    WHERE k.deleted_through >= ?2 AND k.deleted_through < ?3`,
  `SELECT k.register_stamp, k.register_digest FROM ${KEYS}
    WHERE k.register_stamp >= ?2 AND k.register_stamp < ?3`,
].join('\nUNION ALL\n')

/** Adds what these keys have in the range to the buckets, which cut it without gaps. */
export function addDigests(
  session: SqliteSession,
  { from, to }: StampRange,
  buckets: readonly Bucket[],
  keyIds: readonly number[],
): void {
  const edges = buckets.slice(1).map((bucket) => stampBytes(bucket.from))
  const sql = sumSql(buckets.length)
  const ids = JSON.stringify(keyIds)
  const sums = session.all<Sum>(sql, ids, stampBytes(from), stampBytes(to), ...edges)
  for (const { bucket, count, low, high } of sums) {
    const target = buckets[bucket]!
    target.count += count
    target.low += low
    target.high += high
  }
}

function sumSql(buckets: number): string {
  return `
    SELECT ${bucketSql(0, buckets)} AS bucket, count(*) AS count,
      sum(digest & 0xffffff) AS low, sum(digest >> 24) AS high
    FROM (${PLACES}) GROUP BY 1`
}

/** The number of the bucket of a place, by halving: edge i, the start of bucket i, is ?(i + 3). */
function bucketSql(first: number, end: number): string {
  if (end - first === 1) return String(first)
  const middle = (first + end) >> 1
  const below = bucketSql(first, middle)
  return `CASE WHEN place < ?${middle + 3} THEN ${below} ELSE ${bucketSql(middle, end)} END`
}
