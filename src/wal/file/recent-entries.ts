import { withoutErased, type ThroughOf } from '../../core/erase.ts'
import { operationBytes } from '../../core/operation.ts'
import type { Lsn, WalEntry } from '../wal.ts'

/** The latest entries, up to a number of bytes, so that reading them needs no disk. */
export class RecentEntries {
  readonly #entries = new Map<Lsn, WalEntry>()
  readonly #bytesMax: number
  #bytes = 0
  /** No entry is older. A Map would have to look for its first key among all that were removed. */
  #oldest: Lsn = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  get(lsn: Lsn): WalEntry | undefined {
    return this.#entries.get(lsn)
  }

  /** Entries come with rising LSNs. */
  add(entry: WalEntry): void {
    if (this.#bytesMax === 0) return
    if (this.#entries.size === 0) this.#oldest = entry.lsn
    this.#entries.set(entry.lsn, entry)
    this.#bytes += bytesOf(entry)
    while (this.#bytes > this.#bytesMax) this.remove(this.#oldest++)
  }

  remove(lsn: Lsn): void {
    const entry = this.#entries.get(lsn)
    if (entry === undefined) return
    this.#entries.delete(lsn)
    this.#bytes -= bytesOf(entry)
  }

  /** Lets go of entries with payloads that are to go: the log has them without. */
  erase(throughOf: ThroughOf): void {
    for (const { lsn, operations } of this.#entries.values()) {
      if (withoutErased(operations, throughOf) !== undefined) this.remove(lsn)
    }
  }

  clear(): void {
    this.#entries.clear()
    this.#bytes = 0
  }
}

/** Objects and strings weigh more than the frame. */
function bytesOf({ operations }: WalEntry): number {
  let bytes = 128
  for (const operation of operations) bytes += 128 + operationBytes(operation)
  return bytes
}
