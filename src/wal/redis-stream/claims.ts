import type { Operation } from '../../core/operation.ts'
import { DATABASE_PLACES, type DatabasePlace } from '../../core/places.ts'
import { ACKNOWLEDGED, PENDING, QUARANTINED, type EntryState } from '../entry-table.ts'
import type { Lsn } from '../wal.ts'
import { decodeOperations } from './group.ts'
import type { StreamLink } from './link.ts'
import type { ClaimOptions, Partition } from './partitions.ts'
import { CLAIM, REFUSED, RETRY } from './scripts/scripts.ts'
import { LETTER } from './settler.ts'

/** Entries that one call takes over. */
export const CLAIM_ENTRIES = 250
/** Entries that a new process takes over from ended ones before it starts, for each place. */
const ADOPT_ENTRIES_MAX = 20_000

/** An entry that another consumer had. */
export interface Claimed {
  readonly partition: number
  readonly number: string
  readonly operations: readonly Operation[]
  /** Its group, or empty when no other partition has marks of it. */
  readonly group: string
  readonly bytes: number
}

/** Takes over up to `limit` entries of a partition that nobody brings to the place. */
export async function claimEntries(
  link: StreamLink,
  { consumer, leaseMs, ended }: ClaimOptions,
  partition: number,
  place: DatabasePlace,
  limit: number,
): Promise<Claimed[]> {
  const args = [LETTER[place], consumer, String(leaseMs), String(limit), ...ended]
  return claimedOf(partition, await link.call(partition, CLAIM, args))
}

/** Takes over all that a place had refused in a partition. */
export async function* retryEntries(
  link: StreamLink,
  { consumer }: ClaimOptions,
  partition: number,
  place: DatabasePlace,
): AsyncGenerator<Claimed> {
  const args = [LETTER[place], consumer, String(CLAIM_ENTRIES)]
  for (let more = true; more;) {
    const claimed = claimedOf(partition, await link.call(partition, RETRY, args))
    more = claimed.length === CLAIM_ENTRIES
    yield* claimed
  }
}

/** The states of an entry that this place alone lacks. */
export function lackedBy(place: DatabasePlace): Record<DatabasePlace, EntryState> {
  return { primary: ACKNOWLEDGED, backup: ACKNOWLEDGED, [place]: PENDING }
}

export interface Adoptable {
  readonly entry: Claimed
  readonly states: Readonly<Record<DatabasePlace, EntryState>>
}

/** What a process that begins has to care for: what ended ones left, and what places refuse. */
export async function adoptable(
  link: StreamLink,
  options: ClaimOptions,
  partitions: number,
): Promise<readonly Adoptable[]> {
  const found = new Map<string, { entry: Claimed; states: Record<DatabasePlace, EntryState> }>()
  const note = (place: DatabasePlace, state: EntryState, entries: readonly Claimed[]): void => {
    for (const entry of entries) {
      const name = `${entry.partition}:${entry.number}`
      const states = { primary: ACKNOWLEDGED, backup: ACKNOWLEDGED } as const
      const known = found.get(name) ?? { entry, states: { ...states } }
      known.states[place] = state
      found.set(name, known)
    }
  }
  for (const place of DATABASE_PLACES) {
    let count = 0
    for (let partition = 0; partition < partitions; partition++) {
      const refused = await link.call(partition, REFUSED, [LETTER[place], String(CLAIM_ENTRIES)])
      note(place, QUARANTINED, claimedOf(partition, refused))
      for (let more = true; more && count < ADOPT_ENTRIES_MAX;) {
        const claimed = await claimEntries(link, options, partition, place, CLAIM_ENTRIES)
        note(place, PENDING, claimed)
        count += claimed.length
        more = claimed.length === CLAIM_ENTRIES
      }
    }
  }
  return [...found.values()]
}

/**
 * LSNs for what a process begins with. With one partition its numbers are the LSNs, so that they go
 * on from one process to the next; with several they go on, but are nobody else's.
 */
export function numberAdopted(
  found: readonly Adoptable[],
  partitions: readonly Partition[],
): {
  readonly first: Lsn
  readonly last: Lsn
  readonly numbered: readonly (Adoptable & { readonly lsn: Lsn })[]
} {
  const sorted = found.toSorted((a, b) => Number(a.entry.number) - Number(b.entry.number))
  const alone = partitions.length === 1
  const last = partitions.reduce((sum, { number }) => sum + number, 0)
  const first = alone ? Number(sorted[0]?.entry.number ?? last + 1) : last + 1
  const numbered = sorted.map((adopted, i) => ({
    ...adopted,
    lsn: alone ? Number(adopted.entry.number) : first + i,
  }))
  return { first, last, numbered }
}

function claimedOf(partition: number, reply: readonly unknown[]): Claimed[] {
  const claimed: Claimed[] = []
  for (let i = 0; i + 3 < reply.length; i += 4) {
    claimed.push({
      partition,
      number: String(reply[i]),
      operations: decodeOperations(String(reply[i + 1])),
      group: String(reply[i + 2]),
      bytes: Number(reply[i + 3]),
    })
  }
  return claimed
}
