import { withoutErased, type ThroughOf } from '../../core/erase.ts'
import { operationBytes } from '../../core/operation.ts'
import type { Lsn, WalEntry } from '../wal.ts'

const FIRST_LENGTH = 64
/** Objects and strings weigh more than the frame. */
const ENTRY_BYTES = 128
const OPERATION_BYTES = 128

/**
 * The latest entries, up to a number of bytes, so that reading them needs no disk. They stand in a ring,
 * by their LSN: a `Map` that they run through would keep them long after they are removed
 * (`OpenTickets` says why).
 */
export class RecentEntries {
  readonly #bytesMax: number
  /** More places than entries with so many bytes can need. */
  readonly #lengthMax: number
  #ring: (WalEntry | undefined)[] = []
  #bytes = 0
  #count = 0
  /** No entry is older. */
  #oldest: Lsn = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
    this.#lengthMax = Math.max(FIRST_LENGTH, Math.ceil(bytesMax / (ENTRY_BYTES + OPERATION_BYTES)))
  }

  get(lsn: Lsn): WalEntry | undefined {
    const entry = this.#ring[lsn % this.#ring.length]
    return entry?.lsn === lsn ? entry : undefined
  }

  /** Entries come with rising LSNs. */
  add(entry: WalEntry): void {
    if (this.#bytesMax === 0) return
    if (this.#count === 0) this.#oldest = entry.lsn
    if (entry.lsn - this.#oldest >= this.#ring.length) this.#makeRoom(entry.lsn)
    this.#ring[entry.lsn % this.#ring.length] = entry
    this.#count++
    this.#bytes += bytesOf(entry)
    while (this.#bytes > this.#bytesMax) this.remove(this.#oldest++)
  }

  remove(lsn: Lsn): void {
    const entry = this.get(lsn)
    if (entry === undefined) return
    this.#ring[lsn % this.#ring.length] = undefined
    this.#count--
    this.#bytes -= bytesOf(entry)
  }

  /** Lets go of entries with payloads that are to go: the log has them without. */
  erase(throughOf: ThroughOf): void {
    for (const entry of this.#ring) {
      if (entry === undefined) continue
      if (withoutErased(entry.operations, throughOf) !== undefined) this.remove(entry.lsn)
    }
  }

  clear(): void {
    this.#ring = []
    this.#bytes = 0
    this.#count = 0
  }

  /** Makes a place for this LSN: the oldest entries may be gone, else the ring is longer. */
  #makeRoom(lsn: Lsn): void {
    while (this.#count > 0 && this.get(this.#oldest) === undefined) this.#oldest++
    // So far apart that most places between them would be empty: what is recent begins anew.
    if (lsn - this.#oldest >= 2 * this.#lengthMax) this.clear()
    if (this.#count === 0) this.#oldest = lsn
    const needed = lsn - this.#oldest + 1
    if (needed <= this.#ring.length) return
    const entries = this.#ring
    const length = 2 ** Math.ceil(Math.log2(Math.max(needed, FIRST_LENGTH)))
    this.#ring = Array.from({ length }, () => undefined)
    for (const entry of entries) if (entry !== undefined) this.#ring[entry.lsn % length] = entry
  }
}

function bytesOf({ operations }: WalEntry): number {
  let bytes = ENTRY_BYTES
  for (const operation of operations) bytes += OPERATION_BYTES + operationBytes(operation)
  return bytes
}
