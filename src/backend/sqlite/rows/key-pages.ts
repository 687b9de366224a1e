/*
 * The keys that may have something in a range, page by page. What digests and scans read is then
 * found by these keys, some at a time: each step holds the thread for a moment only.
 */
import type { StampRange } from '../../../core/digest.ts'
import { STAMP_MIN, stampFloor, stampMs } from '../../../core/stamp.ts'
import { COARSE_MS } from './lags.ts'
import type { SqliteConnection } from '../connection/connection.ts'
import { stampBytes, stampOf } from './stamp-bytes.ts'

/** Keys of one page. */
const PAGE_KEYS = 4_096
/** A range that begins so far back, seen from the head, has most keys in it. Milliseconds. */
const RECENT_MS = 24 * 60 * 60 * 1_000

const HEAD = 'SELECT head FROM everthread_meta'
const RECENT = 'SELECT key_id FROM everthread_keys WHERE touched >= ?'
const ANY = `
  SELECT key_id FROM everthread_keys
  WHERE key_id > ?1 AND +touched >= ?2 ORDER BY key_id LIMIT ?3`

export interface KeyIdPage {
  readonly ids: readonly number[]
  /** Where the next page starts; undefined at the end. */
  readonly next?: number
}

/** A page of keys that were touched since the range began, in the order of their ids. */
export function readKeyIds(
  connection: SqliteConnection,
  range: StampRange,
  after: number,
): KeyIdPage {
  const touched = stampBytes(touchedFrom(range))
  const head = connection.get<{ head: Uint8Array | null }>(HEAD)?.head ?? null
  if (head !== null && stampMs(stampOf(head)) - stampMs(range.from) < RECENT_MS) {
    const ids = connection.all<{ key_id: number }>(RECENT, touched).map((row) => row.key_id)
    return { ids: ids.sort((a, b) => a - b) }
  }
  const rows = connection.all<{ key_id: number }>(ANY, after, touched, PAGE_KEYS)
  const ids = rows.map((row) => row.key_id)
  return ids.length < PAGE_KEYS ? { ids } : { ids, next: ids.at(-1)! }
}

/** A key with anything in the range has a `touched` of at least this. */
function touchedFrom({ from }: StampRange): StampRange['from'] {
  const ms = stampMs(from) - COARSE_MS
  return ms <= 0 ? STAMP_MIN : stampFloor(ms)
}
