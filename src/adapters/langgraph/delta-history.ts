import type {
  Checkpoint,
  CheckpointPendingWrite,
  DeltaChannelHistory,
  SerializerProtocol,
} from '@langchain/langgraph-checkpoint'
import type { Stamp } from '../../core/stamp.ts'
import type { DecodedItem } from '../../store/bulk/bulk-types.ts'
import type { GraphLists, StoredCheckpoint } from './graph-lists.ts'
import { unpack } from './packed.ts'
import { nameOf, valueName, type Place } from './thread-keys.ts'

/** Ancestors that are read at once; twice as many each time, up to the second. */
const FIRST_PAGE = 32
const PAGE_MAX = 512

interface Parts {
  readonly lists: GraphLists
  readonly serde: SerializerProtocol
  readonly place: Place
  readonly channels: readonly string[]
  /** Whose history it is; undefined: of the latest one. */
  readonly id: string | undefined
}

type Ancestor = Checkpoint & { readonly since: Stamp }

/**
 * What each channel is made of: the value that the nearest ancestor has of it, and what was written from there on,
 * the oldest first. Writes of the checkpoint itself do not count yet.
 */
export async function deltaHistory(parts: Parts): Promise<Record<string, DeltaChannelHistory>> {
  const { lists, serde, place, channels } = parts
  const found = new Map<string, { newestFirst: CheckpointPendingWrite[]; seed?: unknown }>()
  for (const channel of channels) found.set(channel, { newestFirst: [] })
  const open = new Set(channels)
  for await (const ancestors of pagesOfAncestors(parts)) {
    const names = ancestors.flatMap((each) => [...open].map((channel) => nameIn(each, channel)))
    const [values, writes] = await Promise.all([
      lists.values(place, names),
      lists.writes(
        place,
        ancestors.map(({ id, since }) => ({ id, since })),
      ),
    ])
    for (const [i, ancestor] of ancestors.entries()) {
      for (const { task, channel, value } of writes[i]!.toReversed()) {
        if (!open.has(channel)) continue
        found.get(channel)!.newestFirst.push([task, channel, await unpack(serde, value)])
      }
      for (const channel of open) {
        const value = values.get(nameIn(ancestor, channel))
        if (value === undefined) continue
        found.get(channel)!.seed = await unpack(serde, value)
        open.delete(channel)
      }
      if (open.size === 0) break
    }
    if (open.size === 0) break
  }
  return Object.fromEntries(
    [...found].map(([channel, { newestFirst, ...seed }]) => {
      return [channel, { writes: newestFirst.toReversed(), ...seed }]
    }),
  )
}

/** The ancestors of the checkpoint by what they name as their parents, the nearest first. */
async function* pagesOfAncestors({ lists, serde, place, id }: Parts): AsyncGenerator<Ancestor[]> {
  const key = place.checkpoints
  const [start] = await (id === undefined ? lists.latest(key) : lists.byId(key, id))
  let parent = start?.value.parent
  let before = start?.position
  let limit = FIRST_PAGE
  const seen = new Set<string>()
  while (parent !== undefined) {
    const page = await lists.page(key, { before, limit })
    const ancestors: Ancestor[] = []
    let items: readonly DecodedItem<StoredCheckpoint>[] = page.items
    // One that was put after its child stands elsewhere.
    if (page.done && items.length === 0) items = await lists.byId(key, parent)
    if (items.length === 0 || (page.done && seen.has(nameOf(parent)))) return
    for (const item of items) {
      if (parent === undefined || item.id !== nameOf(parent) || seen.has(item.id)) continue
      seen.add(item.id)
      const checkpoint = (await unpack(serde, item.value.checkpoint)) as Checkpoint
      ancestors.push({ ...checkpoint, since: item.value.since })
      parent = item.value.parent
    }
    yield ancestors
    before = items.at(-1)!.position
    limit = Math.min(2 * limit, PAGE_MAX)
  }
}

function nameIn({ channel_versions: versions }: Checkpoint, channel: string): string {
  return valueName(channel, versions[channel] ?? '')
}
