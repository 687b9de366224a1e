import { itemValue, byPosition, type Item, type KeyState } from '../../../core/merge.ts'
import type { Stamp } from '../../../core/stamp.ts'
import type { CountRead, ItemPage, ItemQuery, KeyRead } from '../../replica-backend.ts'
import type { S3Call } from '../protocol/client.ts'
import type { Database } from '../database.ts'
import type { KeyView } from '../key/key-reader.ts'

/** The items of a state, oldest first: sorted once for all pages. */
const SORTED = new WeakMap<KeyState, readonly Item[]>()

export async function readRegister(
  { identity, reader }: Database,
  key: string,
  call: S3Call,
): Promise<KeyRead> {
  return await reader.read(key, call, async (loaded) => {
    const { register } = loaded.state
    if (register === undefined) return mark(identity, loaded)
    const value = await reader.value(key, register.value, call)
    return { ...mark(identity, loaded), register: { ...register, value } }
  })
}

export async function readItems(
  { identity, reader }: Database,
  query: ItemQuery,
  call: S3Call,
): Promise<ItemPage> {
  return await reader.read(query.key, call, async (loaded) => {
    const { items, done } = pageOf(loaded.state, query)
    const whole = await reader.withValues(query.key, items, call)
    return { ...mark(identity, loaded), items: whole, done }
  })
}

export async function readItemsById(
  { identity, reader }: Database,
  key: string,
  ids: readonly string[],
  call: S3Call,
): Promise<ItemPage> {
  return await reader.read(key, call, async (loaded) => {
    const found = ids.flatMap((id) => loaded.state.items.get(id) ?? [])
    const items = await reader.withValues(key, found, call)
    return { ...mark(identity, loaded), items, done: true }
  })
}

/** One list, and one small object unless it is known. */
export async function countItems(
  { identity, reader }: Database,
  key: string,
  call: S3Call,
): Promise<CountRead> {
  const view = await reader.view(key, call)
  return { ...mark(identity, view), count: view.version?.summary.visible ?? 0 }
}

function pageOf(
  state: KeyState,
  { before, after, limit, order, includeRemoved = false }: ItemQuery,
): { items: Item[]; done: boolean } {
  const all = sorted(state)
  const from = after === undefined ? 0 : indexOf(all, ({ position }) => position > after)
  const to = before === undefined ? all.length : indexOf(all, ({ position }) => position >= before)
  const items: Item[] = []
  const [start, end, step] = order === 'oldest' ? [from, to, 1] : [to - 1, from - 1, -1]
  for (let i = start; step > 0 ? i < end : i > end; i += step) {
    const item = all[i]!
    if (!includeRemoved && itemValue(item) === undefined) continue
    if (items.length === limit) return { items, done: false }
    items.push(item)
  }
  return { items, done: true }
}

function sorted(state: KeyState): readonly Item[] {
  let items = SORTED.get(state)
  if (items === undefined) {
    items = [...state.items.values()].sort(byPosition)
    SORTED.set(state, items)
  }
  return items
}

/** The first index for which the test holds; it holds for all after it. */
function indexOf(items: readonly Item[], test: (item: Item) => boolean): number {
  let [low, high] = [0, items.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (test(items[middle]!)) high = middle
    else low = middle + 1
  }
  return low
}

function mark(
  identity: string,
  { version }: KeyView,
): { identity: string; deletedThrough?: Stamp } {
  const deletedThrough = version?.summary.deletedThrough
  return { identity, ...(deletedThrough !== undefined && { deletedThrough }) }
}
