import type { Ticket } from './ticket.ts'
import type { WalEntry } from './wal.ts'

/** Entries of the log or of memory that a place lacks, ready to be applied. */
export interface PendingBatch {
  readonly entries: readonly WalEntry[]
  readonly owed: readonly Ticket[]
}

/** Everything that was pending at one moment. */
export interface FlushMark {
  readonly head: number
  readonly owed: readonly Ticket[]
}
