import type { Operation } from '../../core/operation.ts'
import { DATABASE_PLACES, type DatabasePlace } from '../../core/places.ts'
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

/** Entries by LSN and by number, with their operations as far as memory allows. */
export class StreamEntries {
  readonly #byLsn = new Map<Lsn, StreamEntry>()
  readonly #byNumber: Readonly<Record<DatabasePlace, Map<string, StreamEntry>>> = {
    primary: new Map(),
    backup: new Map(),
  }
  readonly #bytesMax: number
  #bytes = 0
  /** Oldest first: what was appended last is what a server may have lost. */
  readonly #loaded = new Set<StreamEntry>()

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  add(entry: StreamEntry, lacking: readonly DatabasePlace[]): void {
    this.#byLsn.set(entry.lsn, entry)
    for (const place of lacking) this.lacks(place, entry)
    if (entry.operations === undefined) return
    this.#loaded.add(entry)
    this.#bytes += entry.bytes
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
    return this.#byNumber[place].get(nameOf(partition, number))
  }

  /** The same for either place. */
  findAny(partition: number, number: string): StreamEntry | undefined {
    return this.find('primary', partition, number) ?? this.find('backup', partition, number)
  }

  lacks(place: DatabasePlace, entry: StreamEntry): void {
    this.#byNumber[place].set(nameOf(entry.partition, entry.number), entry)
  }

  /** False when the place is known to have it already. */
  settle(place: DatabasePlace, { partition, number }: StreamEntry): boolean {
    return this.#byNumber[place].delete(nameOf(partition, number))
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
    for (const place of places) this.settle(place, entry)
    entry.number = number
    for (const place of places) this.lacks(place, entry)
  }

  drop(entry: StreamEntry): void {
    this.#byLsn.delete(entry.lsn)
    for (const place of this.lackingPlaces(entry)) this.settle(place, entry)
    this.#unload(entry)
  }

  #unload(entry: StreamEntry): void {
    if (!this.#loaded.delete(entry)) return
    this.#bytes -= entry.bytes
    entry.operations = undefined
  }
}

function nameOf(partition: number, number: string): string {
  return `${partition}:${number}`
}
