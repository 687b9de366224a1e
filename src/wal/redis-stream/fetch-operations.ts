import { groupBy } from '../../core/group-by.ts'
import type { Operation } from '../../core/operation.ts'
import type { Lsn, WalEntry } from '../wal.ts'
import type { StreamEntries, StreamEntry } from './entries.ts'
import { decodeOperations } from './group.ts'
import type { StreamLink } from './link.ts'
import { FETCH } from './scripts/scripts.ts'

/** Entries of one call. */
const ENTRIES_MAX = 100

/** The entries with their operations, from memory or from the server; those that are gone are left out. */
export async function loadEntries(
  link: StreamLink,
  entries: StreamEntries,
  lsns: readonly Lsn[],
): Promise<readonly WalEntry[]> {
  // All of it is noted now: what is acknowledged later is in the answer all the same.
  const wanted = lsns.flatMap((lsn) => {
    const entry = entries.get(lsn)
    return entry === undefined ? [] : [{ lsn, entry, operations: entry.operations }]
  })
  const missing = wanted.filter(({ operations }) => operations === undefined)
  const fetched = await fetchOperations(
    link,
    missing.map(({ entry }) => entry),
  )
  return wanted.flatMap(({ lsn, entry, operations }) => {
    const found = operations ?? fetched.get(entry)
    return found === undefined ? [] : [{ lsn, operations: found }]
  })
}

/** Operations of entries that memory let go of. Those that are in no place's way any more are left out. */
async function fetchOperations(
  link: StreamLink,
  entries: readonly StreamEntry[],
): Promise<ReadonlyMap<StreamEntry, readonly Operation[]>> {
  const found = new Map<StreamEntry, readonly Operation[]>()
  for (let from = 0; from < entries.length; from += ENTRIES_MAX) {
    const part = entries.slice(from, from + ENTRIES_MAX)
    for (const [partition, wanted] of groupBy(part, (entry) => entry.partition)) {
      const numbers = wanted.map(({ number }) => number)
      const texts = await link.call(partition, FETCH, numbers)
      wanted.forEach((entry, i) => {
        const text = String(texts[i])
        if (text !== '') found.set(entry, decodeOperations(text))
      })
    }
  }
  return found
}
