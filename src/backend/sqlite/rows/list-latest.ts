/*
 * Keys by the position of their latest visible item. The column `latest` lags by less than
 * LATEST_MS, so it is an order for looking, and the exact position is probed for each candidate:
 * in the order of the column the page is certain once the next candidate, even with the whole lag,
 * stands after its last entry. Of a prefix of one tenant only that tenant's keys are gone through. A prefix
 * with few keys is read whole instead: others' keys may be many.
 */
import { prefixEnd } from '../../../core/text.ts'
import { STAMP_MAX, stampFloor, stampMs, type Stamp } from '../../../core/stamp.ts'
import { groupOf } from '../../key-group.ts'
import { compareLatest } from '../../key-states.ts'
import type { LatestKey, LatestQuery } from '../../replica-backend.ts'
import { GROUP } from './key-group.ts'
import { damagedKey, fitsLatest, latestMovedSql, latestOwnSql, laterOf } from './key-table.ts'
import { LATEST_MS } from './lags.ts'
import type { SqliteConnection } from '../connection/connection.ts'
import { HASHED_ITEMS, stampBytes, stampOf } from './stamp-bytes.ts'

interface Candidate {
  readonly key_id: number
  readonly key: string
  readonly latest: Uint8Array
  readonly own: Uint8Array | null
  readonly moved: Uint8Array | null
}

export interface LatestRows {
  readonly keys: readonly LatestKey[]
  readonly done: boolean
}

/** Candidates that are fetched at once. */
const CHUNK = 64

/** A prefix with at most so many keys is read whole. */
const FEW_KEYS = 256

const COLUMNS = `key_id, key, latest,
  (${latestOwnSql('k.key_id', '?3')}) AS own, (${latestMovedSql('k.key_id')}) AS moved`

/** The plus signs keep the index of keys out: it would not be in this order. */
const nextSql = (where: string): string => `
  SELECT ${COLUMNS} FROM everthread_keys k
  WHERE latest IS NOT NULL AND (latest, key_id) < (?4, ?5)
    AND +key >= ?1 AND (?2 IS NULL OR +key < ?2) ${where}
  ORDER BY latest DESC, key_id DESC LIMIT ?6`
const NEXT = nextSql('')
const NEXT_OF_GROUP = nextSql(`AND ${GROUP} = ?7`)
const COUNT_KEYS = `
  SELECT count(*) AS count FROM (
    SELECT 1 FROM everthread_keys WHERE key >= ?1 AND (?2 IS NULL OR key < ?2) LIMIT ?3)`
const ALL = `
  SELECT ${COLUMNS} FROM everthread_keys k
  WHERE latest IS NOT NULL AND key >= ?1 AND (?2 IS NULL OR key < ?2)`

export function readLatestKeys(connection: SqliteConnection, query: LatestQuery): LatestRows {
  const { prefix, limit } = query
  const end = prefixEnd(prefix) ?? null
  const found = hasFewKeys(connection, prefix, end)
    ? allKeys(connection, query, end)
    : nextKeys(connection, query, end)
  return { keys: found.slice(0, limit), done: found.length <= limit }
}

function hasFewKeys(connection: SqliteConnection, prefix: string, end: string | null): boolean {
  const row = connection.get<{ count: number }>(COUNT_KEYS, prefix, end, FEW_KEYS + 1)
  return row!.count <= FEW_KEYS
}

function allKeys(
  connection: SqliteConnection,
  query: LatestQuery,
  end: string | null,
): LatestKey[] {
  return connection
    .all<Candidate>(ALL, query.prefix, end, HASHED_ITEMS)
    .map(entryOf)
    .filter((entry) => isInPage(entry, query))
    .sort(compareLatest)
}

function nextKeys(
  connection: SqliteConnection,
  query: LatestQuery,
  end: string | null,
): LatestKey[] {
  const { limit } = query
  const found: LatestKey[] = []
  for (const candidate of candidates(connection, query, end)) {
    if (found.length > limit && endOf(candidate) <= found[limit]!.latest) break
    const entry = entryOf(candidate)
    if (isInPage(entry, query)) insertSorted(found, entry)
  }
  return found
}

function* candidates(
  connection: SqliteConnection,
  { prefix, before }: LatestQuery,
  end: string | null,
): Generator<Candidate> {
  const fixed = [prefix, end, HASHED_ITEMS] as const
  const group = groupOf(prefix)
  const [sql, others] = group === undefined ? [NEXT, []] : [NEXT_OF_GROUP, [group]]
  // The column is never above the exact position.
  let edge = stampBytes(before?.latest ?? STAMP_MAX)
  let edgeId = Number.MAX_SAFE_INTEGER
  for (;;) {
    const rows = connection.all<Candidate>(sql, ...fixed, edge, edgeId, CHUNK, ...others)
    yield* rows
    if (rows.length < CHUNK) return
    const last = rows.at(-1)!
    edge = last.latest
    edgeId = last.key_id
  }
}

function entryOf({ key, latest, own, moved }: Candidate): LatestKey {
  const seen = laterOf(own, moved)
  // The order in which candidates come would be another one.
  if (seen === undefined || !fitsLatest(latest, seen)) throw damagedKey(key)
  return { key, latest: seen }
}

function isInPage(entry: LatestKey, { before }: LatestQuery): boolean {
  return before === undefined || compareLatest(entry, before) > 0
}

/** No exact position of a row with this coarse one reaches it. */
function endOf({ latest }: Candidate): Stamp {
  return stampFloor(stampMs(stampOf(latest)) + LATEST_MS)
}

/** Candidates come nearly sorted, so the place is near the end. */
function insertSorted(found: LatestKey[], entry: LatestKey): void {
  let at = found.length
  while (at > 0 && compareLatest(found[at - 1]!, entry) > 0) at--
  found.splice(at, 0, entry)
}
