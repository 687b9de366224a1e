import type {
  Checkpoint,
  CheckpointMetadata,
  SerializerProtocol,
} from '@langchain/langgraph-checkpoint'
import { integer, needed } from '../../core/option-kinds.ts'
import { resolve, type OptionTable } from '../../core/options.ts'
import type { Stamp } from '../../core/stamp.ts'
import type { GraphLists } from './graph-lists.ts'
import { unpack } from './packed.ts'
import { nameOf, placeOf, threadPrefix, valueName, type Place } from './thread-keys.ts'

/** Checkpoints that are read at once. */
const PAGE = 200
/** Greater than the id of any checkpoint. */
const LAST_ID = '\u{10ffff}'

/** What of a thread stays. */
export interface PruneOptions {
  /** How many checkpoints of each namespace, at least 1: those that were put last. */
  readonly last: number
}

/** What was removed of a thread. */
export interface PrunedThread {
  /** Checkpoints of all namespaces. */
  readonly removed: number
}

const PRUNE: OptionTable<PruneOptions> = { last: needed(integer(1, Number.MAX_SAFE_INTEGER)) }

interface Parts {
  readonly tenant: string
  readonly lists: GraphLists
  readonly serde: SerializerProtocol
}

/** A checkpoint without its values. */
interface Step {
  readonly name: string
  readonly position: Stamp
  readonly since: Stamp
  readonly place: Place
  readonly parent: string | undefined
  readonly checkpoint: Checkpoint
  readonly metadata: CheckpointMetadata
}

/** Removes all but the latest checkpoints of each namespace, and of subgraphs those of removed checkpoints. */
export async function pruneThread(
  parts: Parts,
  thread: string,
  options: PruneOptions,
): Promise<PrunedThread> {
  const { last } = resolve('', options, PRUNE)
  const root = placeOf(parts.tenant, thread, '').checkpoints
  const steps = await stepsOf(parts, root)
  const kept = steps.slice(0, keptOf(steps, last))
  let removed = await removeSteps(parts, kept, steps.slice(kept.length))
  const oldest = kept.reduce((least, { checkpoint: { id } }) => (id < least ? id : least), LAST_ID)
  for await (const key of parts.lists.keys(threadPrefix(parts.tenant, 'c', thread))) {
    if (key === root) continue
    const own = await stepsOf(parts, key)
    // What runs may belong to a checkpoint of the graph that has not been put yet.
    const isGone = own.every(({ metadata }) => rootOf(metadata) < oldest)
    const left = isGone ? 0 : keptOf(own, last)
    removed += await removeSteps(parts, own.slice(0, left), own.slice(left))
  }
  return { removed }
}

/** The checkpoint of the graph itself during which one of a subgraph was made. */
function rootOf({ parents }: CheckpointMetadata): string {
  return parents?.[''] ?? LAST_ID
}

/** All checkpoints of a list, the latest first. */
async function stepsOf({ tenant, lists, serde }: Parts, key: string): Promise<Step[]> {
  const steps: Step[] = []
  let before: Stamp | undefined
  for (;;) {
    const { items, done } = await lists.page(key, { before, limit: PAGE })
    for (const { id: name, position, value } of items) {
      const { thread, namespace, parent, since } = value
      const checkpoint = (await unpack(serde, value.checkpoint)) as Checkpoint
      const metadata = (await unpack(serde, value.metadata)) as CheckpointMetadata
      const place = placeOf(tenant, thread, namespace)
      steps.push({ name, position, since, place, parent, checkpoint, metadata })
    }
    before = items.at(-1)?.position
    if (done || before === undefined) return steps
  }
}

/** How many stay: so many, and the ancestors that the delta channels of those are made of. */
function keptOf(steps: readonly Step[], last: number): number {
  const places = new Map(steps.map(({ name }, i) => [name, i]))
  let kept = Math.min(last, steps.length)
  for (const step of steps.slice(0, kept)) {
    const counters = Object.values(step.metadata.counters_since_delta_snapshot ?? {})
    let left = Math.max(0, ...counters.map(([, supersteps]) => supersteps + 1))
    let at: number | undefined = places.get(step.name)
    while (left-- > 0 && at !== undefined) {
      kept = Math.max(kept, at + 1)
      const { parent } = steps[at]!
      at = parent === undefined ? undefined : places.get(nameOf(parent))
    }
    if (at !== undefined && counters.length > 0) kept = Math.max(kept, at + 1)
  }
  return kept
}

/** The checkpoints go first: what is left of them by a failure nobody sees, and the next call removes. */
async function removeSteps(
  { lists }: Parts,
  kept: readonly Step[],
  old: readonly Step[],
): Promise<number> {
  const [newest] = old
  if (newest === undefined) return 0
  const { place, position } = newest
  const needed = kept.flatMap(({ checkpoint: { channel_versions: versions } }) =>
    Object.entries(versions).map(([channel, version]) => valueName(channel, version)),
  )
  await lists.moveBehind(place, needed, position)
  await lists.removeThrough([place.checkpoints, place.values], position)
  const steps = (all: readonly Step[]): { readonly id: string; readonly since: Stamp }[] =>
    all.map(({ checkpoint: { id }, since }) => ({ id, since }))
  await lists.removeWrites(place, steps(old), steps(kept))
  return old.length
}
