import type { Env } from '../../core/env.ts'
import { withoutErased, type ThroughOf } from '../../core/erase.ts'
import { StorageError } from '../../core/errors.ts'
import { MIB } from '../../core/limits.ts'
import { byDefault, bytes, integer } from '../../core/option-kinds.ts'
import { resolve, type OptionTable } from '../../core/options.ts'
import { operationBytes, type Operation } from '../../core/operation.ts'
import { DATABASE_PLACES, type DatabasePlace } from '../../core/places.ts'
import { maxStamp, type Stamp } from '../../core/stamp.ts'
import { PENDING } from '../entry-table.ts'
import { checkNotEmpty, IndexedWal, statesOf } from '../indexed-wal.ts'
import { keysOf } from '../pending-index.ts'
import type { Lsn, WalAppendOptions, WalEntry, WalErased, WalOpened, WalStats } from '../wal.ts'

export interface MemoryWalOptions {
  /** Most entries that some place may lack; beyond it `OVERLOADED`. Default: 100,000. */
  readonly maxEntries?: number
  /** Most bytes of those entries, roughly. Default: 256 MiB. */
  readonly pendingBytesMax?: number
}

const OPTIONS: OptionTable<MemoryWalOptions, keyof MemoryWalOptions> = {
  maxEntries: byDefault(100_000, integer(1, 100_000_000)),
  pendingBytesMax: byDefault(256 * MIB, bytes(1, 2 ** 40)),
}

/**
 * A log in the memory of this process. It is not a durable place: a process that ends takes its
 * entries with it. Closing and opening the same object keeps them.
 */
export class MemoryWal extends IndexedWal {
  readonly #maxEntries: number
  readonly #pendingBytesMax: number
  readonly #operations = new Map<Lsn, readonly Operation[]>()
  #head: Stamp | undefined

  constructor(env: Env, options: MemoryWalOptions = {}) {
    super(env)
    const { maxEntries, pendingBytesMax } = resolve('', options, OPTIONS)
    this.#maxEntries = maxEntries
    this.#pendingBytesMax = pendingBytesMax
  }

  async open(): Promise<WalOpened> {
    if (this.isOpen) throw new StorageError('CONFLICT', 'the log is open already')
    this.isOpen = true
    const head = this.#head
    return { ceilingMs: 0, formerWriters: [], ...(head !== undefined && { head }) }
  }

  async append(operations: readonly Operation[], options: WalAppendOptions = {}): Promise<Lsn> {
    this.checkOpen()
    checkNotEmpty(operations)
    const bytes = operations.reduce((sum, operation) => sum + operationBytes(operation), 0)
    this.#checkRoom(bytes)
    const lsn = this.index.head + 1
    const states = statesOf(options.hold)
    this.#operations.set(lsn, operations)
    for (const { stamp } of operations) this.#head = maxStamp(this.#head, stamp)
    this.index.add({
      lsn,
      keys: keysOf(operations),
      bytes,
      offset: 0,
      atMs: this.env.now(),
      states,
    })
    for (const place of DATABASE_PLACES) if (states[place] === PENDING) this.notify(place)
    return lsn
  }

  override isFull(): boolean {
    return (
      this.index.entries >= this.#maxEntries || this.index.pendingBytes >= this.#pendingBytesMax
    )
  }

  async quarantine(place: DatabasePlace, lsn: Lsn): Promise<void> {
    this.checkOpen()
    this.index.quarantine(place, lsn)
  }

  async erase(throughOf: ThroughOf): Promise<WalErased> {
    this.checkOpen()
    let count = 0
    for (const [lsn, operations] of this.#operations) {
      const left = withoutErased(operations, throughOf)
      if (left === undefined) continue
      this.#operations.set(lsn, left)
      count++
    }
    this.forgetItems()
    return { count, pending: [], remains: [] }
  }

  stats(): WalStats {
    return {
      ...this.indexStats(),
      type: 'in-memory',
      durable: false,
      reasons: ['entries are lost when the process ends'],
      state: this.isOpen ? 'open' : 'closed',
      bytes: this.index.pendingBytes,
      pendingBytesMax: this.#pendingBytesMax,
      pendingEntriesMax: this.#maxEntries,
      syncs: 0,
    }
  }

  async close(): Promise<void> {
    this.isOpen = false
  }

  protected override async load(lsns: readonly Lsn[]): Promise<readonly WalEntry[]> {
    return lsns.map((lsn) => ({ lsn, operations: this.#operations.get(lsn)! }))
  }

  protected override onAcknowledged(_place: DatabasePlace, lsns: readonly Lsn[]): void {
    for (const lsn of lsns) {
      if (!this.index.isDone(lsn)) continue
      this.index.drop(lsn)
      this.#operations.delete(lsn)
    }
  }

  #checkRoom(bytes: number): void {
    if (this.index.entries >= this.#maxEntries) {
      throw new StorageError('OVERLOADED', `the log has its ${this.#maxEntries} entries`, {
        place: 'wal',
      })
    }
    if (this.index.pendingBytes + bytes > this.#pendingBytesMax) {
      throw new StorageError('OVERLOADED', `the log has its ${this.#pendingBytesMax} bytes`, {
        place: 'wal',
      })
    }
  }
}
