import type { PendingIndex } from '../pending-index.ts'
import type { Lsn, WalEntry } from '../wal.ts'
import type { DeadLetters } from './dead-letters.ts'
import type { RecentEntries } from './recent-entries.ts'
import type { FrameLocation } from './segment.ts'
import type { Segments } from './segments.ts'

export interface EntrySources {
  readonly index: PendingIndex
  readonly segments: Segments
  readonly letters: DeadLetters
  readonly recent?: RecentEntries
}

/** Entries that the index has at the moment of the call, in the order asked for. */
export async function loadEntries(
  { index, segments, letters, recent }: EntrySources,
  lsns: readonly Lsn[],
): Promise<readonly WalEntry[]> {
  const found = new Map<Lsn, WalEntry>()
  const located: FrameLocation[] = []
  const inLetters: Lsn[] = []
  // All decided before the first wait: a segment could go meanwhile.
  for (const lsn of lsns) {
    const entry = recent?.get(lsn)
    if (entry !== undefined) found.set(lsn, entry)
    else if (!segments.has(lsn)) inLetters.push(lsn)
    else located.push({ lsn, offset: index.offset(lsn), bytes: index.bytes(lsn) })
  }
  if (found.size === lsns.length) return [...found.values()]
  const read = located.length === 0 ? [] : await segments.load(located)
  for (const entry of read) found.set(entry.lsn, entry)
  for (const lsn of inLetters) found.set(lsn, { lsn, operations: await letters.read(lsn) })
  return lsns.map((lsn) => found.get(lsn)!)
}
