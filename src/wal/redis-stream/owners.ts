import type { DatabasePlace } from '../../core/places.ts'
import type { ClaimOptions } from './partitions.ts'
import type { StreamEntry } from './entries.ts'
import type { StreamLink } from './link.ts'
import { TOUCH } from './scripts/scripts.ts'
import { LETTER } from './settler.ts'

/** Who brings an entry to a place: this process, another one, or none, since the place has it. */
export type Owner = 'own' | 'other' | 'none'

const OWNERS: Readonly<Record<string, Owner>> = { '0': 'none', '1': 'own', '2': 'other' }

/** Asks the server; `wanted`: those that are this process's are left alone by others for longer. */
export async function ownersOf(
  link: StreamLink,
  { consumer, leaseMs }: ClaimOptions,
  place: DatabasePlace,
  entries: readonly StreamEntry[],
  wanted: boolean,
): Promise<ReadonlyMap<StreamEntry, Owner>> {
  const owners = new Map<StreamEntry, Owner>()
  for (const partition of new Set(entries.map((entry) => entry.partition))) {
    const part = entries.filter((entry) => entry.partition === partition)
    const args = [LETTER[place], consumer, String(leaseMs), wanted ? '1' : '0']
    const numbers = part.map(({ number }) => number)
    const answers = await link.call(partition, TOUCH, [...args, ...numbers])
    part.forEach((entry, i) => owners.set(entry, OWNERS[String(answers[i])] ?? 'own'))
  }
  return owners
}
