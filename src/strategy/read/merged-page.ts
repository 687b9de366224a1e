/*
 * One page out of several sources and what is pending for each of them.
 *
 * The merge works on rows, not on pages: removed rows and tombstones take part, and an id that only
 * one source returned is looked up in the others, since it may have moved, been edited or removed
 * there. Nothing beyond the nearest horizon of a source is judged; the reader goes on fetching until
 * the page is full or every source is at its end.
 */
import { PAGE_ITEMS_MAX } from '../../core/limits.ts'
import {
  applyOperation,
  emptyState,
  mergeItem,
  raiseDeletedThrough,
  visibleItems,
  type Item,
  type KeyState,
} from '../../core/merge.ts'
import type { Operation } from '../../core/operation.ts'
import { StorageError } from '../../core/errors.ts'
import type { Stamp } from '../../core/stamp.ts'
import { observeKey, type StoreContext } from '../context.ts'
import type { Gone, ItemsQuery } from './read-port.ts'
import type { Source } from './source.ts'

/** Fetches of one page: only removed rows make more than a few necessary. */
const ROUNDS_MAX = 10_000

interface Walk {
  readonly source: Source
  readonly pending: readonly Operation[]
  readonly returned: Set<string>
  /** Position of the last row fetched; undefined before the first fetch. */
  edge: Stamp | undefined
  done: boolean
}

export interface MergedPage {
  readonly items: readonly Item[]
  readonly done: boolean
  readonly gone?: Gone
}

/** Reads a page from these sources. Rejects when any of them fails. */
export async function readMergedPage(
  context: StoreContext,
  sources: readonly Source[],
  query: ItemsQuery,
): Promise<MergedPage> {
  const first = sources[0]!
  const seen = context.tombstones.get(query.key)
  const walks = await startWalks(sources, query.key)
  if (walks.length === 1 && walks[0]!.pending.length === 0 && query.includeGone !== true) {
    const page = await first.readItems(query)
    if (seen === undefined || (page.deletedThrough ?? '') >= seen) {
      observeKey(context, query.key, page.deletedThrough)
      return page
    }
  }
  const state = emptyState()
  raiseDeletedThrough(state, seen)
  for (let round = 0; round < ROUNDS_MAX; round++) {
    await fetchNearest(walks, query, state)
    await lookUpMissing(walks, query.key, state)
    observeKey(context, query.key, state.deletedThrough)
    const page = judge(walks, query, state)
    if (page !== undefined) return page
  }
  throw new StorageError('OVERLOADED', `a page needed more than ${ROUNDS_MAX} fetches`)
}

/** The merged items of these ids, removed ones too. */
export async function readMergedById(
  context: StoreContext,
  sources: readonly Source[],
  key: string,
  ids: readonly string[],
): Promise<Item[]> {
  const wanted = new Set(ids)
  const pending: Operation[] = []
  for (const source of sources) pending.push(...(await source.pendingOf(key, wanted)))
  const state = emptyState()
  raiseDeletedThrough(state, context.tombstones.get(key))
  const pages = await Promise.all(sources.map((source) => source.readItemsById(key, ids)))
  for (const page of pages) {
    raiseDeletedThrough(state, page.deletedThrough)
    for (const item of page.items) mergeItem(state, item)
  }
  for (const operation of pending) applyOperation(state, operation)
  observeKey(context, key, state.deletedThrough)
  return ids.map((id) => state.items.get(id)).filter((item) => item !== undefined)
}

async function startWalks(sources: readonly Source[], key: string): Promise<Walk[]> {
  const walks: Walk[] = []
  // In order: what is pending for the primary is noted before anything is asked.
  for (const source of sources) {
    const pending = await source.pending(key)
    walks.push({ source, pending, returned: new Set(), edge: undefined, done: false })
  }
  return walks
}

/** Fetches the next rows of the sources whose horizon is nearest. */
async function fetchNearest(
  walks: readonly Walk[],
  query: ItemsQuery,
  state: KeyState,
): Promise<void> {
  const nearest = horizonOf(walks, query.order)
  const due = walks.filter(({ done, edge }) => !done && (edge === undefined || edge === nearest))
  const limit = Math.min(PAGE_ITEMS_MAX, query.limit + 1)
  await Promise.all(
    due.map(async (walk) => {
      const bound = query.order === 'newest' ? 'before' : 'after'
      const from = walk.edge ?? query[bound]
      const page = await walk.source.readItems({
        ...query,
        limit,
        includeRemoved: true,
        ...(from !== undefined && { [bound]: from }),
      })
      raiseDeletedThrough(state, page.deletedThrough)
      for (const item of page.items) {
        walk.returned.add(item.id)
        mergeItem(state, item)
      }
      walk.edge = page.items.at(-1)?.position ?? walk.edge
      walk.done = page.done
    }),
  )
  for (const { pending } of walks) for (const operation of pending) applyOperation(state, operation)
}

/** Asks each source for the ids that only others returned, or that are pending for it. */
async function lookUpMissing(walks: readonly Walk[], key: string, state: KeyState): Promise<void> {
  const alone = walks.length === 1
  await Promise.all(
    walks.map(async ({ source, returned }) => {
      const missing = [...state.items.values()].filter(
        // An id that we made ourselves and that never moved stands nowhere else in the one source.
        ({ id, position }) => !returned.has(id) && !(alone && id === position),
      )
      const ids = missing.map(({ id }) => id)
      for (const id of ids) returned.add(id)
      for (let from = 0; from < ids.length; from += PAGE_ITEMS_MAX) {
        const page = await source.readItemsById(key, ids.slice(from, from + PAGE_ITEMS_MAX))
        raiseDeletedThrough(state, page.deletedThrough)
        for (const item of page.items) mergeItem(state, item)
      }
    }),
  )
}

/** The page, if what lies within all horizons fills it; undefined when more must be fetched. */
function judge(walks: readonly Walk[], query: ItemsQuery, state: KeyState): MergedPage | undefined {
  const newest = query.order === 'newest'
  const horizon = horizonOf(walks, query.order)
  const within = visibleItems(state).filter(
    ({ position }) =>
      (query.before === undefined || position < query.before) &&
      (query.after === undefined || position > query.after) &&
      (horizon === undefined || (newest ? position >= horizon : position <= horizon)),
  )
  if (newest) within.reverse()
  const atEnd = walks.every(({ done }) => done)
  if (within.length <= query.limit && !atEnd) return undefined
  return {
    items: within.slice(0, query.limit),
    done: atEnd && within.length <= query.limit,
    ...(query.includeGone === true && { gone: goneOf(state) }),
  }
}

function goneOf({ items, deletedThrough }: KeyState): Gone {
  const removed: Item[] = []
  for (const { id, removedOf } of items.values()) {
    if (removedOf !== undefined) removed.push({ id, position: removedOf, removedOf })
  }
  return { removed, deletedThrough }
}

/** Up to where every source has been read; undefined when all are at their end. */
function horizonOf(walks: readonly Walk[], order: ItemsQuery['order']): Stamp | undefined {
  let horizon: Stamp | undefined
  for (const { done, edge } of walks) {
    if (done || edge === undefined) continue
    const nearer = horizon === undefined || (order === 'newest' ? edge > horizon : edge < horizon)
    if (nearer) horizon = edge
  }
  return horizon
}
