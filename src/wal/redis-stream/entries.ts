import type { Env } from '../../core/env.ts'
import type { Operation } from '../../core/operation.ts'
import { DATABASE_PLACES, type DatabasePlace } from '../../core/places.ts'
import { ACKNOWLEDGED, type EntryState } from '../entry-table.ts'
import { PendingIndex } from '../pending-index.ts'
import type { Lsn } from '../wal.ts'
import type { KeyStamps } from './group.ts'

/** An entry that this process appended or took over. */
export interface StreamEntry {
  readonly lsn: Lsn
  readonly partition: number
  /** Its number in the partition's stream; another one after it was appended again. */
  number: string
  readonly group: string
  /** Its keys by partition. */
  readonly keys: ReadonlyMap<number, readonly KeyStamps[]>
  readonly bytes: number
  /** Undefined when memory was needed for others: the server has them. */
  operations: readonly Operation[] | undefined
  /** Monotonic time at which the server last knew this process to be on it. */
  touchedAt: number
}

/** Entries by LSN and by number, with what places lack of them and, as far as memory allows, their operations. */
export class StreamEntries {
  index: PendingIndex = new PendingIndex()
  readonly #env: Env
  readonly #byLsn = new Map<Lsn, StreamEntry>()
  readonly #byNumber: Readonly<Record<DatabasePlace, Map<string, StreamEntry>>> = {
    primary: new Map(),
    backup: new Map(),
  }
  readonly #bytesMax: number
  #bytes = 0
  /** Oldest first: what was appended last is what a server may have lost. */
  readonly #loaded = new Set<StreamEntry>()

  constructor(env: Env, bytesMax: number) {
    this.#env = env
    this.#bytesMax = bytesMax
  }

  add(
    { lsn, partition, number, group, keys, bytes, operations }: Omit<StreamEntry, 'touchedAt'>,
    states: Readonly<Record<DatabasePlace, EntryState>>,
  ): void {
    const touchedAt = this.#env.monotonic()
    const entry = { lsn, partition, number, group, keys, bytes, operations, touchedAt }
    this.#byLsn.set(lsn, entry)
    for (const place of DATABASE_PLACES) {
      if (states[place] !== ACKNOWLEDGED) this.lacks(place, entry)
    }
    const names = [...keys.values()].flatMap((list) => list.map(({ key }) => key))
    this.index.add({ lsn, keys: names, bytes, offset: 0, atMs: this.#env.now(), states })
    this.#loaded.add(entry)
    this.#bytes += bytes
    for (const oldest of this.#loaded) {
      if (this.#bytes <= this.#bytesMax) break
      this.#unload(oldest)
    }
  }

  get(lsn: Lsn): StreamEntry | undefined {
    return this.#byLsn.get(lsn)
  }

  all(): Iterable<StreamEntry> {
    return this.#byLsn.values()
  }

  /** The entry with this number, if this process knows that the place lacks it. */
  find(place: DatabasePlace, partition: number, number: string): StreamEntry | undefined {
    return this.#byNumber[place].get(nameOf({ partition, number }))
  }

  /** The same for either place. */
  findAny(partition: number, number: string): StreamEntry | undefined {
    return this.find('primary', partition, number) ?? this.find('backup', partition, number)
  }

  /** The server knows this process to be on it. */
  touch(entry: StreamEntry): void {
    entry.touchedAt = this.#env.monotonic()
  }

  /** True when that was so long ago. */
  isStale({ touchedAt }: StreamEntry, ms: number): boolean {
    return touchedAt <= this.#env.monotonic() - ms
  }

  lacks(place: DatabasePlace, entry: StreamEntry): void {
    this.#byNumber[place].set(nameOf(entry), entry)
  }

  /** The place has it; nothing is kept of what both have. False when that was known already. */
  settle(place: DatabasePlace, entry: StreamEntry): boolean {
    const isNew = this.#byNumber[place].delete(nameOf(entry))
    this.index.acknowledge(place, entry.lsn)
    if (this.index.isDone(entry.lsn)) {
      this.index.drop(entry.lsn)
      this.#byLsn.delete(entry.lsn)
      this.#unload(entry)
    }
    return isNew
  }

  /** The places that lack it, as far as this process knows. */
  lackingPlaces(entry: StreamEntry): DatabasePlace[] {
    return DATABASE_PLACES.filter(
      (place) => this.find(place, entry.partition, entry.number) === entry,
    )
  }

  /** It was appended again under another number. */
  rename(entry: StreamEntry, number: string): void {
    const places = this.lackingPlaces(entry)
    for (const place of places) this.#byNumber[place].delete(nameOf(entry))
    entry.number = number
    for (const place of places) this.lacks(place, entry)
  }

  #unload(entry: StreamEntry): void {
    if (!this.#loaded.delete(entry)) return
    this.#bytes -= entry.bytes
    entry.operations = undefined
  }
}

function nameOf({ partition, number }: Pick<StreamEntry, 'partition' | 'number'>): string {
  return `${partition}:${number}`
}
