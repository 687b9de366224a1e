/*
 * What an engine reads, by the names of its calls: each of them sees the file as of one moment.
 */
import type { JsonText } from '../../core/json.ts'
import type { Item } from '../../core/merge.ts'
import type { Stamp } from '../../core/stamp.ts'
import { prefixEnd } from '../../core/text.ts'
import { joinReads } from '../read-registers.ts'
import type {
  CountRead,
  Hint,
  HintList,
  ItemPage,
  ItemQuery,
  KeyPage,
  KeyQuery,
  KeyRead,
  KeyReads,
  LatestPage,
  LatestQuery,
  ReplicaState,
  FoundPage,
  SearchQuery,
} from '../replica-backend.ts'
import type { SqliteConnection } from './connection/connection.ts'
import { HAS_VALUE, itemOfRow, READ_COLUMNS, type ReadRow } from './rows/item-row.ts'
import { checkClear, optionalStamp } from './rows/key-table.ts'
import { readLatestKeys } from './rows/list-latest.ts'
import { readPage } from './rows/read-items.ts'
import { searchItems } from './search/search-items.ts'
import { checkSameId, itemBytes, stampOf } from './rows/stamp-bytes.ts'

export { addBlockDigests, addDigests, lastIds } from './rows/digest.ts'
export { readKeyIds as keyIds } from './rows/key-pages.ts'
export { keysWithRows, readScanPage as scanPage } from './rows/scan.ts'
export { checkIndex, checkIndexed, readProgress } from './search/index-tables.ts'
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

export function readRegister(connection: SqliteConnection, key: string): KeyRead {
  const row = findKey(connection, key)
  if (row === undefined || row.register_stamp === null) return markOf(connection, row)
  const register = { stamp: stampOf(row.register_stamp), value: row.register! }
  return { ...markOf(connection, row), register }
}

export function readRegisters(connection: SqliteConnection, keys: readonly string[]): KeyReads {
  return joinReads(keys.map((key) => readRegister(connection, key)))
}

export function readItems(connection: SqliteConnection, query: ItemQuery): ItemPage {
  const row = findKey(connection, query.key)
  if (row === undefined) return { ...markOf(connection, row), items: [], done: true }
  return { ...markOf(connection, row), ...readPage(connection, row.key_id, query) }
}

export function readItemsById(
  connection: SqliteConnection,
  key: string,
  ids: readonly string[],
): ItemPage {
  const row = findKey(connection, key)
  const items: Item[] = []
  for (const id of row === undefined ? [] : ids) {
    const found = connection.get<ReadRow>(FIND_ITEM, row!.key_id, itemBytes(id))
    if (found === undefined) continue
    if (found.id !== null) checkSameId(id, found.id)
    items.push(itemOfRow(found))
  }
  return { ...markOf(connection, row), items, done: true }
}

export function countItems(connection: SqliteConnection, key: string): CountRead {
  const row = findKey(connection, key)
  if (row === undefined) return { ...markOf(connection, row), count: 0 }
  const { count } = connection.get<{ count: number }>(COUNT, row.key_id)!
  return { ...markOf(connection, row), count }
}

export function listKeys(
  connection: SqliteConnection,
  { prefix, after = '', limit }: KeyQuery,
): KeyPage {
  const end = prefixEnd(prefix) ?? null
  const rows = connection.all<{ key: string }>(LIST, prefix, end, after, limit + 1)
  const keys = rows.slice(0, limit).map(({ key }) => key)
  return { identity: identityOf(connection), keys, done: rows.length <= limit }
}

export function listLatest(connection: SqliteConnection, query: LatestQuery): LatestPage {
  return { identity: identityOf(connection), ...readLatestKeys(connection, query) }
}

/** Undefined while something was written that is not indexed yet, unless that is `known`. */
export function search(
  connection: SqliteConnection,
  query: SearchQuery,
  known: boolean,
): FoundPage | undefined {
  const page = searchItems(connection, query, known)
  return page === undefined ? undefined : { identity: identityOf(connection), ...page }
}

export function readState(connection: SqliteConnection, writer: string): ReplicaState {
  const meta = connection.get<{ trusted: string | null; head: Uint8Array | null }>(META)!
  const cursor = connection.get<{ lsn: number }>(CURSOR, writer)
  const head: Stamp | undefined = optionalStamp(meta.head)
  return {
    ...readHints(connection),
    ...(meta.trusted !== null && { trusted: meta.trusted }),
    ...(head !== undefined && { head }),
    ...(cursor !== undefined && { cursor: cursor.lsn }),
  }
}

export function readHints(connection: SqliteConnection): HintList {
  const hints = connection.all<Hint>(HINTS).map(({ writer, count }) => ({ writer, count }))
  const { hint_count } = connection.get<{ hint_count: number }>(HINT_VERSION)!
  return { identity: identityOf(connection), hints, hintVersion: hint_count }
}

/** Each time anew: another one may stand there since (`guards.ts`). */
export function identityOf(connection: SqliteConnection): string {
  return connection.get<{ identity: string }>(IDENTITY)!.identity
}

function findKey(connection: SqliteConnection, key: string): FoundKey | undefined {
  const row = connection.get<FoundKey>(FIND_KEY, key)
  if (row !== undefined) checkClear(key, row)
  return row
}

function markOf(
  connection: SqliteConnection,
  row: FoundKey | undefined,
): { identity: string; deletedThrough?: Stamp } {
  const deletedThrough = optionalStamp(row?.deleted_through)
  return {
    identity: identityOf(connection),
    ...(deletedThrough !== undefined && { deletedThrough }),
  }
}
