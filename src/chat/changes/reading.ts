import { PAGE_ITEMS_MAX } from '../../core/limits.ts'
import { STAMP_MIN, type Stamp } from '../../core/stamp.ts'
import type { StrategicStorageManager } from '../../store/strategic-storage-manager.ts'
import type { View } from './tracker.ts'

/** Messages of one page of a view: their contents come with them. */
const PAGE_MESSAGES = Math.min(200, PAGE_ITEMS_MAX)

/** The messages behind a position, a page a view. */
export async function* viewsOf(
  store: StrategicStorageManager,
  key: string,
  after: Stamp,
): AsyncGenerator<View, void, undefined> {
  let from = after
  for (;;) {
    const startedMs = store.env.monotonic()
    const nowMs = store.now()
    const { items, done, complete, gone } = await store.readItems({
      key,
      limit: PAGE_MESSAGES,
      order: 'oldest',
      includeGone: true,
      ...(from !== STAMP_MIN && { after: from }),
    })
    const last = items.at(-1)?.position
    const isEnd = done || last === undefined
    yield {
      after: from,
      through: isEnd ? undefined : last,
      items,
      gone: gone ?? { removed: [], deletedThrough: undefined },
      complete,
      startedMs,
      nowMs,
    }
    if (isEnd) return
    from = last
  }
}

/** All of them in one view; undefined when there are more than so many pages. */
export async function viewOf(
  store: StrategicStorageManager,
  key: string,
  after: Stamp,
  pagesMax: number,
): Promise<View | undefined> {
  const pages: View[] = []
  for await (const page of viewsOf(store, key, after)) {
    pages.push(page)
    if (page.through === undefined) return joined(pages)
    if (pages.length >= pagesMax) return undefined
  }
  return undefined
}

function joined(pages: readonly View[]): View {
  const [first] = pages
  if (pages.length === 1) return first!
  const cleared = pages.map(({ gone }) => gone.deletedThrough).filter((at) => at !== undefined)
  return {
    ...first!,
    through: undefined,
    items: pages.flatMap(({ items }) => items),
    gone: {
      removed: pages.flatMap(({ gone }) => gone.removed),
      deletedThrough: cleared.sort().at(-1),
    },
    complete: pages.every(({ complete }) => complete),
  }
}
