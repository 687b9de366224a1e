import { groupBy } from '../../core/group-by.ts'
import type { DatabasePlace } from '../../core/places.ts'
import type { Lsn } from '../wal.ts'
import type { StreamEntries, StreamEntry } from './entries.ts'
import type { StreamLink } from './link.ts'
import type { ClaimOptions } from './partitions.ts'
import { TOUCH } from './scripts/scripts.ts'
import { LETTER } from './settler.ts'

/** What the server answers of an entry that the place has. */
const NONE = '0'
/** And of one that another process brings. */
const OTHER = '2'

export interface OwnOptions {
  readonly place: DatabasePlace
  /** Those that are this process's are left alone by others for longer. */
  readonly wanted: boolean
}

/**
 * Of these entries those that this process should bring: what it was not known to be on for a while is asked
 * of the server, as long as that can be reached. What the place has, since another process brought it, is settled.
 */
export async function ownEntries(
  link: StreamLink,
  entries: StreamEntries,
  { consumer, leaseMs }: ClaimOptions,
  { place, wanted }: OwnOptions,
  lsns: readonly Lsn[],
): Promise<Lsn[]> {
  const own: Lsn[] = []
  const stale: StreamEntry[] = []
  for (const lsn of lsns) {
    const entry = entries.get(lsn)
    if (entry === undefined) continue
    if (!link.ready || !entries.isStale(entry, leaseMs / 2)) own.push(lsn)
    else stale.push(entry)
  }
  const args = [LETTER[place], consumer, String(leaseMs), wanted ? '1' : '0']
  const answers = await link.ifReachable(async () => {
    const found = new Map<StreamEntry, string>()
    for (const [partition, part] of groupBy(stale, (entry) => entry.partition)) {
      const numbers = part.map(({ number }) => number)
      const answer = await link.call(partition, TOUCH, [...args, ...numbers])
      part.forEach((entry, i) => found.set(entry, String(answer[i])))
    }
    return found
  })
  for (const entry of stale) {
    const answer = answers?.get(entry)
    if (answer === NONE) entries.settle(place, entry)
    if (answer === NONE || answer === OTHER) continue
    if (wanted) entries.touch(entry)
    own.push(entry.lsn)
  }
  return own
}
