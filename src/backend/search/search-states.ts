import { itemValue, type KeyState } from '../../core/merge.ts'
import { numbersOfItem } from '../../core/search/search-numbers.ts'
import type { JsonText } from '../../core/json.ts'
import type { FoundItem, FoundPage, SearchQuery } from '../replica-backend.ts'

/** The numbers of values that were looked at before, while somebody has them. */
const known = new WeakMap<object, ReadonlySet<number>>()

/** Searches states that are at hand whole, without an index: it costs what there is. */
export function searchStates(
  states: Iterable<readonly [key: string, state: KeyState]>,
  { numbers, before, after, limit }: SearchQuery,
): Omit<FoundPage, 'identity'> {
  const found: FoundItem[] = []
  for (const [key, state] of states) {
    for (const item of state.items.values()) {
      const value = itemValue(item)
      if (value === undefined) continue
      if (before !== undefined && item.position >= before) continue
      if (after !== undefined && item.position <= after) continue
      const own = numbersOf(key, item, value)
      if (numbers.every((number) => own.has(number))) found.push({ key, item })
    }
  }
  found.sort((a, b) => (a.item.position > b.item.position ? -1 : 1))
  if (found.length <= limit) return { found, done: true }
  const page = found.slice(0, limit)
  return { found: page, done: false, edge: page.at(-1)!.item.position }
}

function numbersOf(key: string, item: FoundItem['item'], value: JsonText): ReadonlySet<number> {
  let numbers = known.get(item)
  if (numbers === undefined)
    known.set(item, (numbers = new Set(numbersOfItem(key, item.id, value) ?? [])))
  return numbers
}
