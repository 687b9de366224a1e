/*
 * Digests of a range, summed by the database. An operation stands in the range by its place: a
 * put by its position (an append by the one that brought it), others by their stamp. Keys are found
 * by `touched`, so a recent range costs the keys that changed since, not the whole file.
 */
import type { BucketDigest, StampRange } from '../../core/digest.ts'
import { STAMP_MIN, stampFloor, stampMs } from '../../core/stamp.ts'
import { bucketsOf } from '../buckets.ts'
import { COARSE_MS } from './migrations.ts'
import type { SqliteSession } from './session.ts'
import { stampBytes } from './stamp-bytes.ts'

interface Sum {
  readonly bucket: number
  readonly count: number
  readonly low: number
  readonly high: number
}

/** ?1: keys touched from here; ?2 and ?3: the range. CROSS JOIN keeps this order of the tables. */
const ITEMS = 'everthread_keys k CROSS JOIN everthread_items i ON i.key_id = k.key_id'
const OWN = 'k.touched >= ?1 AND i.item >= ?2 AND i.item < ?3 AND i.position = i.item'
const MOVED = 'k.touched >= ?1 AND i.position <> i.item AND i.position >= ?2 AND i.position < ?3'

/** Every digest with its place. */
const PLACES: string = [
  `SELECT i.position AS place, i.digest AS digest FROM ${ITEMS}
    WHERE ${OWN} AND i.digest IS NOT NULL AND i.appended_at IS NULL`,
  `SELECT i.position, i.digest FROM ${ITEMS}
    WHERE ${MOVED} AND i.digest IS NOT NULL AND i.appended_at IS NULL`,
  `SELECT i.position, i.edited_digest FROM ${ITEMS} WHERE ${OWN} AND i.edited_digest IS NOT NULL`,
  `SELECT i.position, i.edited_digest FROM ${ITEMS} WHERE ${MOVED} AND i.edited_digest IS NOT NULL`,
  `SELECT i.appended_at, i.digest FROM ${ITEMS}
    WHERE k.touched >= ?1 AND i.appended_at >= ?2 AND i.appended_at < ?3
      AND i.appended_at IS NOT NULL`,
  `SELECT deleted_through, deleted_digest FROM everthread_keys
    WHERE touched >= ?1 AND deleted_through >= ?2 AND deleted_through < ?3`,
  `SELECT register_stamp, register_digest FROM everthread_keys
    WHERE touched >= ?1 AND register_stamp >= ?2 AND register_stamp < ?3`,
].join('\nUNION ALL\n')

export function readDigest(
  session: SqliteSession,
  range: StampRange,
  count: number,
): readonly BucketDigest[] {
  const buckets = bucketsOf(range, count)
  const edges = buckets.slice(1).map(({ from }) => stampBytes(from))
  const sums = session.all<Sum>(
    sumSql(buckets.length),
    stampBytes(touchedFrom(range)),
    stampBytes(range.from),
    stampBytes(range.to),
    ...edges,
  )
  for (const { bucket, count: rows, low, high } of sums) {
    const target = buckets[bucket]!
    target.count = rows
    target.low = low
    target.high = high
  }
  return buckets
}

/** A key with anything in the range has a `touched` of at least this. */
export function touchedFrom({ from }: StampRange): StampRange['from'] {
  const ms = stampMs(from) - COARSE_MS
  return ms <= 0 ? STAMP_MIN : stampFloor(ms)
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
