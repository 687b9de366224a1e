import { prefixEnd } from '../../core/text.ts'
import type { Applied } from '../../core/decide.ts'
import type { StampRange } from '../../core/digest.ts'
import type { JsonText } from '../../core/json.ts'
import type { Item } from '../../core/merge.ts'
import type { Operation } from '../../core/operation.ts'
import type { Stamp } from '../../core/stamp.ts'
import type { BatchCall } from '../batcher.ts'
import type { Bucket } from '../buckets.ts'
import { checkFence, grantLease, leaseOf } from '../lease.ts'
import type {
  ApplyResult,
  CountRead,
  DamagedPart,
  Hint,
  HintList,
  ItemPage,
  ItemQuery,
  KeyPage,
  KeyQuery,
  KeyRead,
  LatestPage,
  LatestQuery,
  Lease,
  LeaseFence,
  LeaseRequest,
  ReplicaState,
} from '../replica-backend.ts'
import { applyBatch } from './apply.ts'
import { openSession, readSettings, type SqliteSettings } from './connection/open-session.ts'
import { addBlockDigests, addDigests, lastIds } from './rows/digest.ts'
import type { SqliteDriver } from './connection/driver.ts'
import { HAS_VALUE, itemOfRow, READ_COLUMNS, type ReadRow } from './rows/item-row.ts'
import { readKeyIds, type KeyIdPage } from './rows/key-pages.ts'
import { checkClear, KeyTable, optionalStamp } from './rows/key-table.ts'
import { findLease, writeLease } from './upkeep/lease-table.ts'
import { readLatestKeys } from './rows/list-latest.ts'
import { migrate } from './upkeep/migrations.ts'
import type { ResolvedSqliteOptions } from './connection/options.ts'
import {
  checkFile,
  checkKeys,
  checkOwners,
  mendFile,
  mendKeys,
  mendOwners,
  type PartsPage,
} from './upkeep/parts.ts'
import { readPage } from './rows/read-items.ts'
import { repairRows } from './upkeep/repair.ts'
import { keysWithRows, readScanPage, type ScanCursor, type ScanPage } from './rows/scan.ts'
import type { SqliteSession } from './connection/session.ts'
import { checkSameId, itemBytes, stampOf } from './rows/stamp-bytes.ts'

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
const MARK_HINT = 'UPDATE everthread_hints SET count = 0 WHERE writer = ? AND count = ?'
const REMOVE_HINTS = 'DELETE FROM everthread_hints WHERE count = 0'
const TRUST = 'UPDATE everthread_meta SET trusted = ?'

interface FoundKey {
  readonly key_id: number
  readonly deleted_through: Uint8Array | null
  readonly deleted_digest: number | null
  readonly register_stamp: Uint8Array | null
  readonly register: JsonText | null
}

/**
 * The database over one connection. Every call runs to its end before it returns; arguments and
 * results are plain data, so that the engine could run in another thread.
 */
export class SqliteEngine {
  readonly settings: SqliteSettings
  readonly #session: SqliteSession
  readonly #keys: KeyTable

  /** @param identity Given to the database if it is new. */
  constructor(driver: SqliteDriver, options: ResolvedSqliteOptions, identity: string) {
    this.#session = openSession(driver, options)
    this.#keys = new KeyTable(this.#session)
    try {
      this.settings = readSettings(this.#session, options.path)
      migrate(this.#session, identity)
    } catch (error) {
      this.#session.close()
      throw error
    }
  }

  close(): void {
    this.#session.close()
  }

  /** Moves the log into the file as far as nobody is in the way; others write meanwhile. */
  checkpoint(): void {
    this.#session.get('PRAGMA wal_checkpoint(PASSIVE)')
  }

  /** One transaction for all calls: one commit is shared by many saves. */
  run(calls: readonly BatchCall[]): ApplyResult[] {
    try {
      return this.#session.write(() => {
        const answers: readonly Applied[][] = applyBatch(this.#session, this.#keys, calls)
        const identity = this.#identity()
        return answers.map((applied) => ({ identity, applied }))
      })
    } catch (error) {
      this.#keys.forget()
      throw error
    }
  }

  readRegister(key: string): KeyRead {
    return this.#session.read(() => {
      const row = this.#findKey(key)
      if (row === undefined || row.register_stamp === null) return this.#mark(row)
      const register = { stamp: stampOf(row.register_stamp), value: row.register! }
      return { ...this.#mark(row), register }
    })
  }

  readItems(query: ItemQuery): ItemPage {
    return this.#session.read(() => {
      const row = this.#findKey(query.key)
      if (row === undefined) return { ...this.#mark(row), items: [], done: true }
      return { ...this.#mark(row), ...readPage(this.#session, row.key_id, query) }
    })
  }

  readItemsById(key: string, ids: readonly string[]): ItemPage {
    return this.#session.read(() => {
      const row = this.#findKey(key)
      const items: Item[] = []
      for (const id of row === undefined ? [] : ids) {
        const found = this.#session.get<ReadRow>(FIND_ITEM, row!.key_id, itemBytes(id))
        if (found === undefined) continue
        if (found.id !== null) checkSameId(id, found.id)
        items.push(itemOfRow(found))
      }
      return { ...this.#mark(row), items, done: true }
    })
  }

  countItems(key: string): CountRead {
    return this.#session.read(() => {
      const row = this.#findKey(key)
      if (row === undefined) return { ...this.#mark(row), count: 0 }
      const { count } = this.#session.get<{ count: number }>(COUNT, row.key_id)!
      return { ...this.#mark(row), count }
    })
  }

  listKeys({ prefix, after = '', limit }: KeyQuery): KeyPage {
    const end = prefixEnd(prefix) ?? null
    return this.#session.read(() => {
      const rows = this.#session.all<{ key: string }>(LIST, prefix, end, after, limit + 1)
      const keys = rows.slice(0, limit).map(({ key }) => key)
      return { identity: this.#identity(), keys, done: rows.length <= limit }
    })
  }

  listLatest(query: LatestQuery): LatestPage {
    return this.#session.read(() => ({
      identity: this.#identity(),
      ...readLatestKeys(this.#session, query),
    }))
  }

  readState(writer: string): ReplicaState {
    return this.#session.read(() => {
      const meta = this.#session.get<{ trusted: string | null; head: Uint8Array | null }>(META)!
      const cursor = this.#session.get<{ lsn: number }>(CURSOR, writer)
      const head: Stamp | undefined = optionalStamp(meta.head)
      return {
        ...this.#hintList(),
        ...(meta.trusted !== null && { trusted: meta.trusted }),
        ...(head !== undefined && { head }),
        ...(cursor !== undefined && { cursor: cursor.lsn }),
      }
    })
  }

  readHints(): HintList {
    return this.#session.read(() => this.#hintList())
  }

  #hintList(): HintList {
    const hints = this.#session.all<Hint>(HINTS).map(({ writer, count }) => ({ writer, count }))
    const { hint_count } = this.#session.get<{ hint_count: number }>(HINT_VERSION)!
    return { identity: this.#identity(), hints, hintVersion: hint_count }
  }

  removeHints(hints: readonly Hint[], fence: LeaseFence | undefined): void {
    this.#session.write(() => {
      checkFence(fence, (name) => findLease(this.#session, name)?.token)
      for (const { writer, count } of hints) this.#session.run(MARK_HINT, writer, count)
      this.#session.run(REMOVE_HINTS)
    })
  }

  trust(identity: string, fence: LeaseFence | undefined): void {
    this.#session.write(() => {
      checkFence(fence, (name) => findLease(this.#session, name)?.token)
      this.#session.run(TRUST, identity)
    })
  }

  lease(request: LeaseRequest, nowMs: number): Lease | undefined {
    return this.#session.write(() => {
      const granted = grantLease(findLease(this.#session, request.name), request, nowMs)
      if (granted === undefined) return undefined
      writeLease(this.#session, request.name, granted)
      return leaseOf(granted)
    })
  }

  keyIds(range: StampRange, after: number): KeyIdPage {
    return this.#session.read(() => readKeyIds(this.#session, range, after))
  }

  /** Adds what these keys have in the range to the buckets, and returns them. */
  addDigests(
    range: StampRange,
    buckets: readonly Bucket[],
    keyIds: readonly number[],
  ): readonly Bucket[] {
    this.#session.read(() => addDigests(this.#session, range, buckets, keyIds))
    return buckets
  }

  lastIds(): { readonly rows: number; readonly keys: number } {
    return this.#session.read(() => lastIds(this.#session))
  }

  /** Adds what a block of the file has in the range to the buckets, and returns them. */
  addBlockDigests(
    range: StampRange,
    buckets: readonly Bucket[],
    table: 'rows' | 'keys',
    after: number,
    last: number,
  ): readonly Bucket[] {
    const session = this.#session
    session.read(() => addBlockDigests(session, range, buckets, table, after, last))
    return buckets
  }

  keysWithRows(range: StampRange, keyIds: readonly number[]): readonly number[] {
    return this.#session.read(() => keysWithRows(this.#session, range, keyIds))
  }

  scanPage(range: StampRange, keyIds: readonly number[], cursor: ScanCursor): ScanPage {
    return this.#session.read(() => readScanPage(this.#session, range, keyIds, cursor))
  }

  repair(operations: readonly Operation[]): number {
    return this.#session.write(() => repairRows(this.#session, operations))
  }

  checkFile(): readonly DamagedPart[] {
    return this.#session.read(() => checkFile(this.#session))
  }

  checkKeys(after: number): PartsPage {
    return this.#session.read(() => checkKeys(this.#session, after))
  }

  checkOwners(after: number): PartsPage {
    return this.#session.read(() => checkOwners(this.#session, after))
  }

  mendFile(): void {
    this.#session.write(() => mendFile(this.#session))
  }

  mendKeys(after: number): number | undefined {
    this.#keys.forget()
    return this.#session.write(() => mendKeys(this.#session, after))
  }

  mendOwners(after: number): number | undefined {
    return this.#session.write(() => mendOwners(this.#session, after))
  }

  /** False while a reader of another process still needs the log beside the file. */
  purge(): boolean {
    const answer = this.#session.get<{ busy: number }>('PRAGMA wal_checkpoint(TRUNCATE)')
    return answer?.busy === 0
  }

  /** Each time anew: another one may stand there since (`guards.ts`). */
  #identity(): string {
    return this.#session.get<{ identity: string }>(IDENTITY)!.identity
  }

  #findKey(key: string): FoundKey | undefined {
    const row = this.#session.get<FoundKey>(FIND_KEY, key)
    if (row !== undefined) checkClear(key, row)
    return row
  }

  #mark(row: FoundKey | undefined): { identity: string; deletedThrough?: Stamp } {
    const deletedThrough = optionalStamp(row?.deleted_through)
    return {
      identity: this.#identity(),
      ...(deletedThrough !== undefined && { deletedThrough }),
    }
  }
}
