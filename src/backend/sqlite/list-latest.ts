/*
 * Keys by the position of their latest visible item. The column `latest` lags by less than
 * COARSE_MS, so it is an order for looking, and the exact position is probed for each candidate:
 * in the order of the column the page is certain once the next candidate, even with the whole lag,
 * stands after its last entry.
 */
import { compareText } from '../../core/text.ts'
import { STAMP_MAX, stampFloor, stampMs, type Stamp } from '../../core/stamp.ts'
import type { LatestKey, LatestQuery } from '../replica-backend.ts'
import { prefixEnd } from './key-range.ts'
import { readLatest } from './key-table.ts'
import { COARSE_MS } from './migrations.ts'
import type { SqliteSession } from './session.ts'
import { stampBytes, stampOf } from './stamp-bytes.ts'

interface Candidate {
  readonly key_id: number
  readonly key: string
  readonly latest: Uint8Array
}

/** Candidates that are fetched at once. */
const CHUNK = 256

/** The plus signs keep the index of keys out: it would not be in this order. */
const CANDIDATES = `
  SELECT key_id, key, latest FROM everthread_keys
  WHERE latest IS NOT NULL AND (latest, key_id) < (?1, ?5)
    AND +key >= ?2 AND (?3 IS NULL OR +key < ?3)
  ORDER BY latest DESC, key_id DESC LIMIT ?4`

export interface LatestRows {
  readonly keys: readonly LatestKey[]
  readonly done: boolean
}

export function readLatestKeys(session: SqliteSession, query: LatestQuery): LatestRows {
  const { before, limit } = query
  const found: LatestKey[] = []
  for (const { key_id: keyId, key, latest: coarse } of candidates(session, query)) {
    if (found.length > limit && endOf(stampOf(coarse)) <= found[limit]!.latest) break
    const latest = readLatest(session, keyId)
    if (latest === undefined) continue
    const entry = { key, latest }
    if (before !== undefined && compareLatest(entry, before) <= 0) continue
    insertSorted(found, entry)
  }
  return { keys: found.slice(0, limit), done: found.length <= limit }
}

/** Latest first; equal ones by key. */
export function compareLatest(a: LatestKey, b: LatestKey): number {
  return a.latest > b.latest ? -1 : a.latest < b.latest ? 1 : compareText(a.key, b.key)
}

function* candidates(session: SqliteSession, query: LatestQuery): Generator<Candidate> {
  const end = prefixEnd(query.prefix) ?? null
  // The column is never above the exact position.
  let edge = stampBytes(query.before?.latest ?? STAMP_MAX)
  let edgeId = Number.MAX_SAFE_INTEGER
  for (;;) {
    const rows = session.all<Candidate>(CANDIDATES, edge, query.prefix, end, CHUNK, edgeId)
    yield* rows
    if (rows.length < CHUNK) return
    const last = rows.at(-1)!
    edge = last.latest
    edgeId = last.key_id
  }
}

/** No exact position of a row with this coarse one reaches it. */
function endOf(coarse: Stamp): Stamp {
  return stampFloor(stampMs(coarse) + COARSE_MS)
}

/** Candidates come nearly sorted, so the place is near the end. */
function insertSorted(found: LatestKey[], entry: LatestKey): void {
  let at = found.length
  while (at > 0 && compareLatest(found[at - 1]!, entry) > 0) at--
  found.splice(at, 0, entry)
}
