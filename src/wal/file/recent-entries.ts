import { withoutErased, type ThroughOf } from '../../core/erase.ts'
import { operationBytes } from '../../core/operation.ts'
import type { Lsn, WalEntry } from '../wal.ts'

const FIRST_SLOTS = 64
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
  /** More slots than entries with so many bytes can need. */
  readonly #slotsMax: number
  #slots: (WalEntry | undefined)[] = []
  #bytes = 0
  #count = 0
  /** No entry is older. */
  #oldest: Lsn = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
    this.#slotsMax = Math.max(FIRST_SLOTS, Math.ceil(bytesMax / (ENTRY_BYTES + OPERATION_BYTES)))
  }

  get(lsn: Lsn): WalEntry | undefined {
    const entry = this.#slots[lsn % this.#slots.length]
    return entry?.lsn === lsn ? entry : undefined
  }

  /** Entries come with rising LSNs. */
  add(entry: WalEntry): void {
    if (this.#bytesMax === 0) return
    if (this.#count === 0) this.#oldest = entry.lsn
    if (entry.lsn - this.#oldest >= this.#slots.length) this.#makeRoom(entry.lsn)
    this.#slots[entry.lsn % this.#slots.length] = entry
    this.#count++
    this.#bytes += bytesOf(entry)
    while (this.#bytes > this.#bytesMax) this.remove(this.#oldest++)
  }

  remove(lsn: Lsn): void {
    const entry = this.get(lsn)
    if (entry === undefined) return
    this.#slots[lsn % this.#slots.length] = undefined
    this.#count--
    this.#bytes -= bytesOf(entry)
  }

  /** Lets go of entries with payloads that are to go: the log has them without. */
  erase(throughOf: ThroughOf): void {
    for (const entry of this.#slots) {
      if (entry === undefined) continue
      if (withoutErased(entry.operations, throughOf) !== undefined) this.remove(entry.lsn)
    }
  }

  clear(): void {
    this.#slots = []
    this.#bytes = 0
    this.#count = 0
  }

  /** Makes a slot for this LSN: the oldest entries may be gone, else there are more slots. */
  #makeRoom(lsn: Lsn): void {
    while (this.#count > 0 && this.get(this.#oldest) === undefined) this.#oldest++
    // So far apart that most slots between them would be empty: what is recent begins anew.
    if (lsn - this.#oldest >= 2 * this.#slotsMax) this.clear()
    if (this.#count === 0) this.#oldest = lsn
    const needed = lsn - this.#oldest + 1
    if (needed <= this.#slots.length) return
    const entries = this.#slots
    const length = 2 ** Math.ceil(Math.log2(Math.max(needed, FIRST_SLOTS)))
    this.#slots = Array.from({ length }, () => undefined)
    for (const entry of entries) if (entry !== undefined) this.#slots[entry.lsn % length] = entry
  }
}

function bytesOf({ operations }: WalEntry): number {
  let bytes = ENTRY_BYTES
  for (const operation of operations) bytes += OPERATION_BYTES + operationBytes(operation)
  return bytes
}
