import { PAGE_ITEMS_MAX } from '../../core/limits.ts'
import { applyOperation, emptyState, itemValue, mergeItem, type Item } from '../../core/merge.ts'
import type { Operation } from '../../core/operation.ts'
import type { Stamp } from '../../core/stamp.ts'
import { observeKey, type StoreContext } from '../context.ts'
import { readMergedPage } from './merged-page.ts'
import type { Source } from './source.ts'

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
  if (sources.length === 1) {
    const pending = await source.pending(key)
    const difference = await pendingDifference(source, key, pending)
    if (difference !== undefined) {
      const { count, deletedThrough } = await source.call('countItems', (backend, options) =>
        backend.countItems(key, options),
      )
      const seen = context.tombstones.get(key)
      observeKey(context, key, deletedThrough)
      if (seen === undefined || (deletedThrough ?? '') >= seen) return count + difference
    }
  }
  return await countByWalking(context, sources, key)
}

/** What the pending operations will add to the count; undefined when it takes a walk to know. */
async function pendingDifference(
  source: Source,
  key: string,
  pending: readonly Operation[],
): Promise<number | undefined> {
  if (pending.length === 0) return 0
  const ids = new Set<string>()
  for (const operation of pending) {
    if (operation.kind === 'delete') return undefined
    if (operation.kind === 'put') ids.add(operation.id)
  }
  if (ids.size > PAGE_ITEMS_MAX) return undefined
  const { items, deletedThrough } = await source.readItemsById(key, [...ids])
  const state = emptyState()
  state.deletedThrough = deletedThrough
  for (const item of items) mergeItem(state, item)
  const before = countVisible(state.items.values())
  for (const operation of pending) applyOperation(state, operation)
  return countVisible(state.items.values()) - before
}

function countVisible(items: Iterable<Item>): number {
  let count = 0
  for (const item of items) if (itemValue(item) !== undefined) count++
  return count
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
