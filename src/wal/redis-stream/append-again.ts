import type { DatabasePlace } from '../../core/places.ts'
import { appendGroup, type AppendTarget } from './append-group.ts'
import type { StreamEntry } from './entries.ts'
import { groupOf } from './group.ts'
import { FETCH } from './scripts/scripts.ts'

/** Groups that are appended at once. */
const GROUPS_MAX = 32

export interface AgainListener {
  /** The places that lack it. */
  places(entry: StreamEntry): readonly DatabasePlace[]
  /** It has another number now. */
  renamed(entry: StreamEntry, number: string): void
  /** The server does not have it, nor has memory. */
  gone(entry: StreamEntry): void
}

/** Appends entries again that a server may have lost, unless it still has them. */
export async function appendAgain(
  target: AppendTarget,
  partitions: number,
  entries: readonly StreamEntry[],
  listener: AgainListener,
): Promise<void> {
  for (let from = 0; from < entries.length; from += GROUPS_MAX) {
    const part = entries.slice(from, from + GROUPS_MAX)
    await Promise.all(part.map((entry) => again(target, partitions, entry, listener)))
  }
}

async function again(
  target: AppendTarget,
  partitions: number,
  entry: StreamEntry,
  listener: AgainListener,
): Promise<void> {
  const { operations, partition, group } = entry
  const places = listener.places(entry)
  if (places.length === 0) return
  if (operations === undefined) {
    const [text] = await target.link.call(partition, FETCH, [entry.number])
    if (text === '') listener.gone(entry)
    return
  }
  const split = groupOf(operations, partitions)
  const name = group === '' ? split.name : group
  const number = await appendGroup(
    target,
    operations,
    { ...split, name },
    { fresh: false, places, former: entry.number },
  )
  listener.renamed(entry, number)
}
