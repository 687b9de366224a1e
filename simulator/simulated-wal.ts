import type { Env } from '../src/core/env.ts'
import { invalid, StorageError } from '../src/core/errors.ts'
import { operationBytes, type Operation } from '../src/core/operation.ts'
import { DATABASE_PLACES, type DatabasePlace } from '../src/core/places.ts'
import { maxStamp, stampMs, type Stamp } from '../src/core/stamp.ts'
import { sleep } from '../src/core/time.ts'
import { ACKNOWLEDGED, HELD, PENDING } from '../src/wal/entry-table.ts'
import { IndexedWal } from '../src/wal/indexed-wal.ts'
import { keysOf, PendingIndex } from '../src/wal/pending-index.ts'
import type { Lsn, WalAppendOptions, WalEntry, WalOpened, WalStats } from '../src/wal/wal.ts'
import type { LogDevice, LogFault } from './log-device.ts'
import type { RandomSource } from './random-source.ts'

interface LogRecord {
  readonly lsn: Lsn
  readonly operations: readonly Operation[]
  /** `ghost`: its append was rejected, but a restart finds it. `done`: both places have it. */
  state: 'written' | 'synced' | 'ghost' | 'done'
}

interface Append {
  readonly record: LogRecord
  readonly held: readonly DatabasePlace[]
  readonly resolve: (lsn: Lsn) => void
  readonly reject: (error: unknown) => void
}

/** Finished records whose acknowledgements may not be durable yet. */
const DONE_KEPT = 20

/** What of a process's log survives the process. */
export class LogStorage implements LogDevice {
  readonly random: RandomSource
  records: LogRecord[] = []
  readonly writers: string[] = []
  lastLsn: Lsn = 0
  /** What each place has of each record, as far as that is durable. */
  readonly acknowledged: Map<Lsn, Set<DatabasePlace>> = new Map()
  /** Every append fails. */
  isOut = false
  /** Every append is refused before any effect. */
  isFull = false
  /** Longest sync. Milliseconds. */
  syncMs = 6
  readonly #lies: boolean

  /** One that `lies` keeps nothing for sure when the power is cut. */
  constructor(random: RandomSource, lies = false) {
    this.random = random
    this.#lies = lies
  }

  createWal(env: Env): SimulatedWal {
    return new SimulatedWal(env, this)
  }

  attach(): undefined {
    return undefined
  }

  break(fault: LogFault): void {
    if (fault === 'wal-out') this.isOut = true
    else if (fault === 'wal-full') this.isFull = true
    else this.syncMs = fault === 'wal-slow' ? 900 : 8_000
  }

  heal(): void {
    this.isOut = this.isFull = false
    this.syncMs = 6
  }

  /** What a restart finds: acknowledgements may lag, and a power cut takes what was not synced. */
  crash(power: boolean): void {
    this.records = this.records.filter(
      ({ state }) => !power || (state !== 'written' && !this.#lies) || this.random.chance(0.5),
    )
    for (const { lsn } of this.records) {
      if (this.random.chance(0.3)) this.acknowledged.delete(lsn)
    }
  }
}

/** A durable log without files: the port's promises, and every failure that it allows. */
export class SimulatedWal extends IndexedWal {
  readonly #storage: LogStorage
  #queue: Append[] = []
  #syncing = false
  #syncs = 0

  constructor(env: Env, storage: LogStorage) {
    super(env)
    this.#storage = storage
  }

  async open(writer: string): Promise<WalOpened> {
    const storage = this.#storage
    if (this.isOpen) throw new StorageError('CONFLICT', 'the log is open already')
    await sleep(this.env, storage.random.between(1, 20))
    const formerWriters = [...storage.writers]
    storage.writers.push(writer)
    let head: Stamp | undefined
    const first = storage.records[0]?.lsn ?? storage.lastLsn + 1
    this.index = new PendingIndex(first - 1)
    for (const record of storage.records) {
      for (const { stamp } of record.operations) head = maxStamp(head, stamp)
      const acknowledged = storage.acknowledged.get(record.lsn)
      record.state = acknowledged?.size === 2 ? 'done' : 'synced'
      if (record.state === 'done') continue
      this.#index(record, (place) => (acknowledged?.has(place) === true ? ACKNOWLEDGED : PENDING))
    }
    this.index.skipTo(storage.lastLsn)
    this.isOpen = true
    return {
      ceilingMs: head === undefined ? 0 : stampMs(head),
      formerWriters,
      ...(head !== undefined && { head }),
    }
  }

  async append(operations: readonly Operation[], options: WalAppendOptions = {}): Promise<Lsn> {
    this.checkOpen()
    if (operations.length === 0) throw invalid('operations must not be empty')
    const storage = this.#storage
    if (storage.isFull) throw new StorageError('OVERLOADED', 'the log is full', { place: 'wal' })
    const record: LogRecord = { lsn: ++storage.lastLsn, operations, state: 'written' }
    storage.records.push(record)
    return await new Promise<Lsn>((resolve, reject) => {
      this.#queue.push({ record, held: options.hold ?? [], resolve, reject })
      void this.#sync()
    })
  }

  override isFull(): boolean {
    return this.#storage.isFull
  }

  override formerWriters(): readonly string[] {
    return this.#storage.writers.slice(0, -1)
  }

  async quarantine(place: DatabasePlace, lsn: Lsn): Promise<void> {
    this.checkOpen()
    this.index.quarantine(place, lsn)
  }

  stats(): WalStats {
    const now = this.env.now()
    return {
      type: 'simulated',
      durable: true,
      reasons: [],
      state: !this.isOpen ? 'closed' : this.#storage.isOut ? 'failed' : 'open',
      entries: this.index.entries,
      bytes: this.index.pendingBytes,
      pendingBytesMax: Number.MAX_SAFE_INTEGER,
      head: this.index.head,
      syncs: this.#syncs,
      places: {
        primary: this.index.stats('primary', now),
        backup: this.index.stats('backup', now),
      },
    }
  }

  async close(): Promise<void> {
    this.isOpen = false
  }

  protected override async load(lsns: readonly Lsn[]): Promise<readonly WalEntry[]> {
    const wanted = new Set(lsns)
    const found = this.#storage.records.filter(({ lsn }) => wanted.has(lsn))
    await sleep(this.env, this.#storage.random.between(0, 3))
    return found
  }

  protected override onAcknowledged(_place: DatabasePlace, lsns: readonly Lsn[]): void {
    const storage = this.#storage
    for (const record of storage.records) {
      if (lsns.length > 0 && !lsns.includes(record.lsn)) continue
      if (record.state !== 'synced' || !this.index.has(record.lsn)) continue
      const places = DATABASE_PLACES.filter(
        (place) => this.index.state(place, record.lsn) === ACKNOWLEDGED,
      )
      storage.acknowledged.set(record.lsn, new Set(places))
      if (!this.index.isDone(record.lsn)) continue
      record.state = 'done'
      this.index.drop(record.lsn)
    }
    const done = storage.records.filter(({ state }) => state === 'done')
    const gone = new Set(done.slice(0, Math.max(0, done.length - DONE_KEPT)))
    storage.records = storage.records.filter((record) => !gone.has(record))
    for (const { lsn } of gone) storage.acknowledged.delete(lsn)
  }

  /** Group commit: while one sync runs the next group gathers. */
  async #sync(): Promise<void> {
    if (this.#syncing) return
    this.#syncing = true
    const storage = this.#storage
    while (this.#queue.length > 0) {
      const group = this.#queue.splice(0)
      await sleep(this.env, storage.random.between(1, storage.syncMs))
      this.#syncs++
      if (storage.isOut) for (const append of group) this.#fail(append)
      else for (const append of group) this.#finish(append)
    }
    this.#syncing = false
  }

  #finish({ record, held, resolve }: Append): void {
    record.state = 'synced'
    this.#index(record, (place) => (held.includes(place) ? HELD : PENDING))
    resolve(record.lsn)
    for (const place of DATABASE_PLACES) if (!held.includes(place)) this.notify(place)
  }

  #fail({ record, reject }: Append): void {
    const storage = this.#storage
    if (storage.random.chance(0.3)) record.state = 'ghost'
    else storage.records = storage.records.filter((other) => other !== record)
    reject(
      new StorageError('UNAVAILABLE', 'the log could not be synced', {
        effect: 'unknown',
        place: 'wal',
      }),
    )
  }

  #index(
    { lsn, operations }: LogRecord,
    state: (place: DatabasePlace) => typeof PENDING | typeof ACKNOWLEDGED | typeof HELD,
  ): void {
    this.index.add({
      lsn,
      keys: keysOf(operations),
      bytes: operations.reduce((sum, operation) => sum + operationBytes(operation), 0),
      offset: 0,
      atMs: this.env.now(),
      states: { primary: state('primary'), backup: state('backup') },
    })
  }
}
