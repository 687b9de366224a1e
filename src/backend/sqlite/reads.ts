/*
 * What an engine reads, by the names of its calls: each of them sees the file as of one moment.
 */
import type { JsonText } from '../../core/json.ts'
import type { Item } from '../../core/merge.ts'
import type { Stamp } from '../../core/stamp.ts'
import { prefixEnd } from '../../core/text.ts'
import type {
  CountRead,
  Hint,
  HintList,
  ItemPage,
  ItemQuery,
  KeyPage,
  KeyQuery,
  KeyRead,
  LatestPage,
  LatestQuery,
  ReplicaState,
} from '../replica-backend.ts'
import type { SqliteSession } from './connection/session.ts'
import { HAS_VALUE, itemOfRow, READ_COLUMNS, type ReadRow } from './rows/item-row.ts'
import { checkClear, optionalStamp } from './rows/key-table.ts'
import { readLatestKeys } from './rows/list-latest.ts'
import { readPage } from './rows/read-items.ts'
import { checkSameId, itemBytes, stampOf } from './rows/stamp-bytes.ts'

export { addBlockDigests, addDigests, lastIds } from './rows/digest.ts'
export { readKeyIds as keyIds } from './rows/key-pages.ts'
export { keysWithRows, readScanPage as scanPage } from './rows/scan.ts'
export { checkFile, checkKeys, checkOwners } from './upkeep/parts.ts'

const FIND_KEY = `
  SELECT key_id, deleted_through, deleted_digest, register_stamp, register
  FROM everthread_keys WHERE key = ?`
const FIND_ITEM = `
  SELECT ${READ_COLUMNS} FROM everthread_items WHERE key_id = ? AND item = ?`
const COUNT = `
  SELECT count(*) AS count FROM everthread_items
  WHERE key_id = ? AND ${HAS_VALUE}`
const LIST = `
  SELECT key FROM everthread_keys
  WHERE key >= ?1 AND (?2 IS NULL OR key < ?2) AND key > ?3
    AND (register_stamp IS NOT NULL OR latest IS NOT NULL)
  ORDER BY key LIMIT ?4`
const IDENTITY = 'SELECT identity FROM everthread_meta'
const META = 'SELECT trusted, head FROM everthread_meta'
const HINT_VERSION = 'SELECT hint_count FROM everthread_meta'
const HINTS = 'SELECT writer, count FROM everthread_hints ORDER BY writer'
const CURSOR = 'SELECT lsn FROM everthread_cursors WHERE writer = ?'

interface FoundKey {
  readonly key_id: number
  readonly deleted_through: Uint8Array | null
  readonly deleted_digest: number | null
  readonly register_stamp: Uint8Array | null
  readonly register: JsonText | null
}

export function readRegister(session: SqliteSession, key: string): KeyRead {
  const row = findKey(session, key)
  if (row === undefined || row.register_stamp === null) return markOf(session, row)
  const register = { stamp: stampOf(row.register_stamp), value: row.register! }
  return { ...markOf(session, row), register }
}

export function readItems(session: SqliteSession, query: ItemQuery): ItemPage {
  const row = findKey(session, query.key)
  if (row === undefined) return { ...markOf(session, row), items: [], done: true }
  return { ...markOf(session, row), ...readPage(session, row.key_id, query) }
}

export function readItemsById(
  session: SqliteSession,
  key: string,
  ids: readonly string[],
): ItemPage {
  const row = findKey(session, key)
  const items: Item[] = []
  for (const id of row === undefined ? [] : ids) {
    const found = session.get<ReadRow>(FIND_ITEM, row!.key_id, itemBytes(id))
    if (found === undefined) continue
    if (found.id !== null) checkSameId(id, found.id)
    items.push(itemOfRow(found))
  }
  return { ...markOf(session, row), items, done: true }
}

export function countItems(session: SqliteSession, key: string): CountRead {
  const row = findKey(session, key)
  if (row === undefined) return { ...markOf(session, row), count: 0 }
  const { count } = session.get<{ count: number }>(COUNT, row.key_id)!
  return { ...markOf(session, row), count }
}

export function listKeys(session: SqliteSession, { prefix, after = '', limit }: KeyQuery): KeyPage {
  const end = prefixEnd(prefix) ?? null
  const rows = session.all<{ key: string }>(LIST, prefix, end, after, limit + 1)
  const keys = rows.slice(0, limit).map(({ key }) => key)
  return { identity: identityOf(session), keys, done: rows.length <= limit }
}

export function listLatest(session: SqliteSession, query: LatestQuery): LatestPage {
  return { identity: identityOf(session), ...readLatestKeys(session, query) }
}

export function readState(session: SqliteSession, writer: string): ReplicaState {
  const meta = session.get<{ trusted: string | null; head: Uint8Array | null }>(META)!
  const cursor = session.get<{ lsn: number }>(CURSOR, writer)
  const head: Stamp | undefined = optionalStamp(meta.head)
  return {
    ...readHints(session),
    ...(meta.trusted !== null && { trusted: meta.trusted }),
    ...(head !== undefined && { head }),
    ...(cursor !== undefined && { cursor: cursor.lsn }),
  }
}

export function readHints(session: SqliteSession): HintList {
  const hints = session.all<Hint>(HINTS).map(({ writer, count }) => ({ writer, count }))
  const { hint_count } = session.get<{ hint_count: number }>(HINT_VERSION)!
  return { identity: identityOf(session), hints, hintVersion: hint_count }
}

/** Each time anew: another one may stand there since (`guards.ts`). */
export function identityOf(session: SqliteSession): string {
  return session.get<{ identity: string }>(IDENTITY)!.identity
}

function findKey(session: SqliteSession, key: string): FoundKey | undefined {
  const row = session.get<FoundKey>(FIND_KEY, key)
  if (row !== undefined) checkClear(key, row)
  return row
}

function markOf(
  session: SqliteSession,
  row: FoundKey | undefined,
): { identity: string; deletedThrough?: Stamp } {
  const deletedThrough = optionalStamp(row?.deleted_through)
  return {
    identity: identityOf(session),
    ...(deletedThrough !== undefined && { deletedThrough }),
  }
}
