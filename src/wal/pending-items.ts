import type { Operation } from '../core/operation.ts'
import { DATABASE_PLACES, type DatabasePlace } from '../core/places.ts'
import { ACKNOWLEDGED } from './entry-table.ts'
import type { PendingIndex } from './pending-index.ts'
import { READ_BYTES_MAX, type Lsn, type WalEntry } from './wal.ts'

/** So few entries of a key are read each time. */
const FEW = 64
/** Entries whose ids are read at once. */
const BATCH_ENTRIES = 1_000
/** Entries whose ids are known at most, of all keys but the one that is asked for: some 100 bytes each. */
const ENTRIES_MAX = 500_000
/** Stands for deletes: no id is empty. */
const DELETES = ''

/** Of one key. */
interface Known {
  readonly lsns: Map<number, Lsn | Lsn[]>
  /** Up to here the ids of what each place lacks are known. */
  readonly through: Record<DatabasePlace, Lsn>
  entries: number
  reading: Promise<void>
}

/**
 * Finds pending entries of a key by the ids that they are about. A key with many is read once, and from
 * then on only what is new of it, so that a long outage makes no save with an id dearer.
 */
export class PendingItems {
  readonly index: PendingIndex
  readonly #load: (lsns: readonly Lsn[]) => Promise<readonly WalEntry[]>
  readonly #keys = new Map<string, Known>()
  #entries = 0

  constructor(index: PendingIndex, load: (lsns: readonly Lsn[]) => Promise<readonly WalEntry[]>) {
    this.index = index
    this.#load = load
  }

  /** Reads what is new of the key. `find` then knows all that was pending when this was called. */
  async read(place: DatabasePlace, key: string): Promise<void> {
    let known = this.#keys.get(key)
    if (known === undefined) {
      if (this.index.count(place, key) <= FEW) return
      const through = { primary: 0, backup: 0 }
      known = { lsns: new Map(), through, entries: 0, reading: Promise.resolve() }
    }
    // The key that is asked for last is forgotten last.
    this.#keys.delete(key)
    this.#keys.set(key, known)
    const reading = known.reading.catch(() => {}).then(() => this.#readNew(known, place, key))
    known.reading = reading
    await reading
  }

  /** Entries with the key that the place lacks, in order; of a key with many those of these ids, and deletes. */
  find(place: DatabasePlace, key: string, ids: ReadonlySet<string>): readonly Lsn[] {
    const known = this.#keys.get(key)
    if (known === undefined) return this.index.pending(place, key)
    const found = new Set([...ids, DELETES].flatMap((id) => known.lsns.get(hashOf(id)) ?? []))
    return [...found].filter((lsn) => this.#isLacking(place, lsn)).sort((a, b) => a - b)
  }

  /** Entries were acknowledged: what is known of many that are gone is forgotten. */
  acknowledged(): void {
    if (this.#entries > 2 * Math.max(FEW, this.index.entries)) this.forget()
  }

  /** What is pending is another thing now. */
  forget(): void {
    this.#keys.clear()
    this.#entries = 0
  }

  async #readNew(known: Known, place: DatabasePlace, key: string): Promise<void> {
    const lsns = this.index.pending(place, key, known.through[place])
    for (let from = 0; from < lsns.length;) {
      const batch = this.#batchOf(lsns, from)
      from += batch.length
      const fresh = batch.filter((lsn) => this.#isLacking(place, lsn) && !this.#isKnown(known, lsn))
      for (const { lsn, operations } of fresh.length === 0 ? [] : await this.#load(fresh)) {
        for (const operation of operations) if (operation.key === key) note(known, operation, lsn)
      }
      known.through[place] = batch.at(-1)!
      if (this.#keys.get(key) === known) this.#count(known, fresh.length)
    }
  }

  #batchOf(lsns: readonly Lsn[], from: number): readonly Lsn[] {
    let bytes = 0
    let to = from
    while (to < lsns.length && to - from < BATCH_ENTRIES && bytes < READ_BYTES_MAX) {
      bytes += this.index.bytes(lsns[to++]!)
    }
    return lsns.slice(from, to)
  }

  #isLacking(place: DatabasePlace, lsn: Lsn): boolean {
    return this.index.state(place, lsn) !== ACKNOWLEDGED
  }

  /** It was read for a place that still lacks it. */
  #isKnown({ through }: Known, lsn: Lsn): boolean {
    return DATABASE_PLACES.some((place) => lsn <= through[place] && this.#isLacking(place, lsn))
  }

  #count(known: Known, entries: number): void {
    known.entries += entries
    this.#entries += entries
    for (const [key, other] of this.#keys) {
      if (this.#entries <= ENTRIES_MAX || other === known) return
      this.#keys.delete(key)
      this.#entries -= other.entries
    }
  }
}

function note({ lsns }: Known, operation: Operation, lsn: Lsn): void {
  if (operation.kind === 'set') return
  const hash = hashOf(operation.kind === 'put' ? operation.id : DELETES)
  const before = lsns.get(hash)
  if (before === undefined) lsns.set(hash, lsn)
  else if (typeof before === 'number') lsns.set(hash, [before, lsn])
  else before.push(lsn)
}

/** FNV-1a in 31 bits. Two ids that share one cost a read, no more. */
function hashOf(id: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < id.length; i++) hash = Math.imul(hash ^ id.charCodeAt(i), 0x01000193)
  return hash >>> 1
}
