import { appendGroup, type AppendTarget } from './append-group.ts'
import type { StreamEntries, StreamEntry } from './entries.ts'
import { groupOf } from './group.ts'
import { FETCH } from './scripts/scripts.ts'

/** Groups that are appended at once. */
const GROUPS_MAX = 32

/**
 * Appends entries again that a server may have lost, unless it still has them. Returns those that
 * neither it nor memory has.
 */
export async function appendAgain(
  target: AppendTarget,
  entries: StreamEntries,
  lost: readonly StreamEntry[],
): Promise<readonly StreamEntry[]> {
  const gone: StreamEntry[] = []
  for (let from = 0; from < lost.length; from += GROUPS_MAX) {
    const part = lost.slice(from, from + GROUPS_MAX)
    const found = await Promise.all(part.map((entry) => again(target, entries, entry)))
    gone.push(...part.filter((_, i) => !found[i]))
  }
  return gone
}

/** False when it is gone. */
async function again(
  target: AppendTarget,
  entries: StreamEntries,
  entry: StreamEntry,
): Promise<boolean> {
  const { operations, partition, group, number: former } = entry
  const places = entries.lackingPlaces(entry)
  if (places.length === 0) return true
  if (operations === undefined) {
    const [text] = await target.link.call(partition, FETCH, [former])
    return text !== ''
  }
  const split = groupOf(operations, target.partitions().length)
  const name = group === '' ? split.name : group
  const options = { fresh: false, places, former }
  entries.rename(entry, await appendGroup(target, operations, { ...split, name }, options))
  return true
}
