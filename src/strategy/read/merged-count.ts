import { PAGE_ITEMS_MAX } from '../../core/limits.ts'
import {
  applyOperation,
  emptyState,
  mergeItem,
  visibleItems,
  type KeyState,
} from '../../core/merge.ts'
import type { Operation } from '../../core/operation.ts'
import type { Stamp } from '../../core/stamp.ts'
import { observeKey, type StoreContext } from '../context.ts'
import { readMergedPage } from './merged-page.ts'
import type { Source } from './source.ts'

/** Tries to count between two equal looks at what is pending, before the list is walked. */
const TRIES_MAX = 3

/**
 * Counts the visible items. With one source the database counts, and what is pending for it is
 * added; where two must be merged, or a clear is pending, the list is walked.
 */
export async function countMerged(
  context: StoreContext,
  sources: readonly Source[],
  key: string,
): Promise<number> {
  const source = sources[0]!
  for (let i = 0; sources.length === 1 && i < TRIES_MAX; i++) {
    const pending = await source.pending(key)
    if (pending.some(({ kind }) => kind === 'delete')) break
    const count = await countWithPending(context, source, key, pending)
    if (count !== undefined) return count
  }
  return await countByWalking(context, sources, key)
}

/**
 * The database's count and what the pending operations add to it. They may be applied while it
 * counts, so it is asked about them before and after: undefined when the answers differ.
 */
async function countWithPending(
  context: StoreContext,
  source: Source,
  key: string,
  pending: readonly Operation[],
): Promise<number | undefined> {
  const before = await lookUp(source, key, pending)
  const { count, deletedThrough } = await source.countItems(key)
  const seen = context.tombstones.get(key)
  observeKey(context, key, deletedThrough)
  if (seen !== undefined && (deletedThrough ?? '') < seen) return undefined
  const after = await lookUp(source, key, pending)
  if (before === undefined || after === undefined) return undefined
  if (before.visible.join() !== after.visible.join()) return undefined
  return count + after.merged.length - after.visible.length
}

/** The ids of the pending operations' items that are visible at the place, and that will be. */
async function lookUp(
  source: Source,
  key: string,
  pending: readonly Operation[],
): Promise<{ readonly visible: string[]; readonly merged: string[] } | undefined> {
  if (pending.length === 0) return { visible: [], merged: [] }
  const puts = pending.filter((operation) => operation.kind === 'put')
  const ids = [...new Set(puts.map(({ id }) => id))]
  if (ids.length > PAGE_ITEMS_MAX) return undefined
  const { items, deletedThrough } = await source.readItemsById(key, ids)
  const state = emptyState()
  state.deletedThrough = deletedThrough
  for (const item of items) mergeItem(state, item)
  const visible = visibleIds(state)
  for (const operation of puts) applyOperation(state, operation)
  return { visible, merged: visibleIds(state) }
}

function visibleIds(state: KeyState): string[] {
  return visibleItems(state).map(({ id }) => id)
}

async function countByWalking(
  context: StoreContext,
  sources: readonly Source[],
  key: string,
): Promise<number> {
  let count = 0
  let after: Stamp | undefined
  for (;;) {
    const page = await readMergedPage(context, sources, {
      key,
      limit: PAGE_ITEMS_MAX,
      order: 'oldest',
      ...(after !== undefined && { after }),
    })
    count += page.items.length
    after = page.items.at(-1)?.position
    if (page.done) return count
  }
}
