/* Plain reads on top of paged ones: for a store, and for a database on its own. */
import {
  checkInteger,
  checkPrefix,
  checkText,
  KEY_BYTES_MAX,
  PAGE_ITEMS_MAX,
} from '../core/limits.ts'
import type { Item } from '../core/merge.ts'
import type { ItemPage, ItemQuery, KeyPage, KeyQuery } from './replica-backend.ts'

type ListKeys = (query: KeyQuery) => Promise<Pick<KeyPage, 'keys' | 'done'>>
type ReadItems = (query: ItemQuery) => Promise<Pick<ItemPage, 'items' | 'done'>>

/** All keys with this prefix, sorted by code point. Every character is literal. */
export async function allKeys(prefix: string, listKeys: ListKeys): Promise<readonly string[]> {
  checkPrefix('prefix', prefix, KEY_BYTES_MAX)
  const keys: string[] = []
  for (;;) {
    const after = keys.at(-1)
    const page = await listKeys({
      prefix,
      limit: PAGE_ITEMS_MAX,
      ...(after !== undefined && { after }),
    })
    keys.push(...page.keys)
    if (page.done) return keys
  }
}

/** Items in list order; `start` is 0-based, negative counts from the end. Costs `start + count`. */
export async function itemRange(
  key: string,
  start: number,
  count: number,
  readItems: ReadItems,
): Promise<readonly Item[]> {
  checkText('key', key, KEY_BYTES_MAX)
  checkInteger('start', start, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)
  checkInteger('count', count, 0, Number.MAX_SAFE_INTEGER)
  return start < 0
    ? (await firstItems(key, 'newest', -start, readItems)).reverse().slice(0, count)
    : (await firstItems(key, 'oldest', start + count, readItems)).slice(start)
}

async function firstItems(
  key: string,
  order: 'newest' | 'oldest',
  count: number,
  readItems: ReadItems,
): Promise<Item[]> {
  const items: Item[] = []
  while (items.length < count) {
    const edge = items.at(-1)?.position
    const bound = edge === undefined ? {} : order === 'newest' ? { before: edge } : { after: edge }
    const limit = Math.min(count - items.length, PAGE_ITEMS_MAX)
    const page = await readItems({ key, order, limit, ...bound })
    items.push(...page.items)
    if (page.done) break
  }
  return items
}
