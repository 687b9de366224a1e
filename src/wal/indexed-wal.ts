import type { Env } from '../core/env.ts'
import { invalid, StorageError } from '../core/errors.ts'
import type { Operation } from '../core/operation.ts'
import type { DatabasePlace } from '../core/places.ts'
import { HELD, PENDING, type EntryState } from './entry-table.ts'
import { PendingIndex } from './pending-index.ts'
import { PendingItems } from './pending-items.ts'
import {
  ofIds,
  type Lsn,
  type SharedWal,
  type WAL,
  type WalAppendOptions,
  type WalEntry,
  type WalOpened,
  type WalStats,
} from './wal.ts'

/** What logs have in common whose pending entries are in a {@link PendingIndex}. */
export abstract class IndexedWal implements WAL {
  protected readonly env: Env
  protected index: PendingIndex = new PendingIndex()
  protected isOpen = false
  readonly shared?: SharedWal
  #items: PendingItems | undefined
  #listener: (place: DatabasePlace) => void = () => {}

  constructor(env: Env) {
    this.env = env
  }

  abstract open(writer: string): Promise<WalOpened>
  abstract append(operations: readonly Operation[], options?: WalAppendOptions): Promise<Lsn>
  abstract quarantine(place: DatabasePlace, lsn: Lsn, reason: string): Promise<void>
  abstract stats(): WalStats
  abstract close(): Promise<void>

  acknowledge(place: DatabasePlace, lsns: readonly Lsn[]): void {
    let changed = false
    for (const lsn of lsns) if (this.index.acknowledge(place, lsn)) changed = true
    if (!changed) return
    this.onAcknowledged(place, lsns)
    this.#items?.acknowledged()
  }

  release(place: DatabasePlace, lsns: readonly Lsn[]): void {
    let readable = false
    for (const lsn of lsns) if (this.index.release(place, lsn)) readable = true
    if (readable) this.notify(place)
  }

  hasPending(place: DatabasePlace, key: string): boolean {
    return this.index.hasPending(place, key)
  }

  async pending(place: DatabasePlace, key: string): Promise<readonly Operation[]> {
    this.checkOpen()
    const lsns = this.index.pending(place, key)
    if (lsns.length === 0) return []
    return operationsOf(await this.load(lsns), key)
  }

  async pendingOf(
    place: DatabasePlace,
    key: string,
    ids: ReadonlySet<string>,
  ): Promise<readonly Operation[]> {
    this.checkOpen()
    // Of what other processes appended only the server knows.
    if (this.shared !== undefined) return ofIds(await this.pending(place, key), ids)
    const items = this.#itemsNow()
    await items.read(place, key)
    const lsns = items.find(place, key, ids)
    if (lsns.length === 0) return []
    return ofIds(operationsOf(await this.load(lsns), key), ids)
  }

  pendingKeys(place: DatabasePlace): Iterable<string> {
    return this.index.pendingKeys(place)
  }

  async read(place: DatabasePlace, limit: number): Promise<readonly WalEntry[]> {
    this.checkOpen()
    const lsns = this.index.read(place, limit)
    return lsns.length === 0 ? [] : await this.load(lsns)
  }

  readable(place: DatabasePlace): number {
    return this.index.readable(place)
  }

  oldest(place: DatabasePlace): Lsn | undefined {
    return this.index.oldest(place)
  }

  isFull(): boolean {
    return false
  }

  formerWriters(): readonly string[] {
    return []
  }

  resend(place: DatabasePlace): void {
    this.forgetItems()
    const readable = this.index.resend(place)
    this.onAcknowledged(place, [])
    if (readable) this.notify(place)
  }

  onReadable(listener: (place: DatabasePlace) => void): void {
    this.#listener = listener
  }

  /** The payloads of entries that the index has at the moment of the call, in the same order. */
  protected abstract load(lsns: readonly Lsn[]): Promise<readonly WalEntry[]>

  /** What the place has was changed: for these entries, or, when empty, for any. */
  protected abstract onAcknowledged(place: DatabasePlace, lsns: readonly Lsn[]): void

  /** Payloads were taken out of entries. */
  protected forgetItems(): void {
    this.#items?.forget()
  }

  protected notify(place: DatabasePlace): void {
    try {
      this.#listener(place)
    } catch (error) {
      // An append is durable whatever its listener does.
      this.env.logger.error({ error, place }, 'a listener of the log failed')
    }
  }

  protected checkOpen(): void {
    this.opened(this.index)
  }

  /** What is there while the log is open. */
  protected opened<T>(part: T | undefined): T {
    if (this.isOpen && part !== undefined) return part
    throw new StorageError('CLOSED', 'the log is not open', { effect: 'none', place: 'wal' })
  }

  /** What the index says of a log. */
  protected indexStats(): Pick<WalStats, 'entries' | 'head' | 'places'> {
    const { index } = this
    const now = this.env.now()
    return {
      entries: index.entries,
      head: index.head,
      places: { primary: index.stats('primary', now), backup: index.stats('backup', now) },
    }
  }

  /** The index of a log that is opened again is another one. */
  #itemsNow(): PendingItems {
    if (this.#items?.index !== this.index) {
      this.#items = new PendingItems(this.index, (lsns) => this.load(lsns))
    }
    return this.#items
  }
}

/** The states that an entry begins with. */
export function statesOf(hold: WalAppendOptions['hold']): Record<DatabasePlace, EntryState> {
  const stateOf = (place: DatabasePlace): EntryState =>
    hold?.includes(place) === true ? HELD : PENDING
  return { primary: stateOf('primary'), backup: stateOf('backup') }
}

/** A group of nothing is a mistake of the caller. */
export function checkNotEmpty(operations: readonly Operation[]): void {
  if (operations.length === 0) throw invalid('operations must not be empty')
}

function operationsOf(entries: readonly WalEntry[], key: string): readonly Operation[] {
  return entries.flatMap(({ operations }) =>
    operations.filter((operation) => operation.key === key),
  )
}
