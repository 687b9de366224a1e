/*
 * A search over several sources and what is pending for each of them.
 *
 * A database says which items have the numbers of the words, and may say too many. Each of them is judged
 * as a read would show it: merged from all sources, with what is pending laid over it, and compared with the
 * words. What is pending may have words that no database knows of yet: it is looked through as well.
 */
import type { FoundItem, FoundPage } from '../../backend/replica-backend.ts'
import { PAGE_ITEMS_MAX } from '../../core/limits.ts'
import { itemValue } from '../../core/merge.ts'
import { itemName, type Operation } from '../../core/operation.ts'
import { indexedItem } from '../../core/search/indexed-texts.ts'
import { numbersOfSearch } from '../../core/search/search-numbers.ts'
import { isMatch } from '../../core/search/search-terms.ts'
import type { Stamp } from '../../core/stamp.ts'
import { observeItems, type StoreContext } from '../context.ts'
import { readMergedById } from './merged-page.ts'
import type { ItemsSearch } from './read-port.ts'
import type { Source } from './source.ts'

/** Items that are judged for one page at most: of a search whose words are many, but seldom together. */
const JUDGED_MAX = 10_000
/** Pages of a database for one page at most. */
const ROUNDS_MAX = 500
/** Items that are asked for at once, beyond those that are wanted, from the second page on. */
const SPARE = 200
/** Keys of which items are looked up at once. */
const KEYS_AT_ONCE = 32

export interface MergedSearch {
  readonly found: readonly FoundItem[]
  readonly next?: Stamp
  /** Every source was searched. */
  readonly isWhole: boolean
}

/** Looks in the sources that can be searched. Rejects when any source fails. */
export async function searchMerged(
  context: StoreContext,
  sources: readonly Source[],
  query: ItemsSearch,
): Promise<MergedSearch> {
  const search = new Search(context, sources, query)
  await search.addPending()
  return await search.run()
}

class Search {
  readonly #context: StoreContext
  readonly #sources: readonly Source[]
  readonly #searched: readonly Source[]
  readonly #query: ItemsSearch
  readonly #numbers: readonly number[]
  /** By item, with what a read showed of it: nothing where it is not one of those looked for. */
  readonly #judged = new Map<string, FoundItem | undefined>()
  /** Keys with something pending, which no page of a database shows as it is. */
  #pendingKeys: ReadonlySet<string> = new Set()

  constructor(context: StoreContext, sources: readonly Source[], query: ItemsSearch) {
    this.#context = context
    this.#sources = sources
    this.#searched = sources.filter(({ place }) => place.canSearch())
    this.#query = query
    this.#numbers = numbersOfSearch(query.terms, query)
  }

  /** What is pending is noted before any database is asked. */
  async addPending(): Promise<void> {
    const keys = new Set<string>()
    for (const source of this.#sources) {
      for (const key of await source.pendingKeys()) {
        if (this.#isWithin(key)) keys.add(key)
      }
    }
    this.#pendingKeys = keys
    for (const key of keys) {
      const ids = new Set<string>()
      for (const source of this.#sources) {
        for (const operation of await source.pending(key)) {
          if (this.#mayMatch(operation)) ids.add(operation.id)
        }
      }
      await this.#judge(key, [...ids])
    }
  }

  async run(): Promise<MergedSearch> {
    const { limit } = this.#query
    let before = this.#query.before
    for (let round = 1; ; round++) {
      // Mostly all that is found is what was looked for; where it is not, more is asked for.
      const pages = await this.#pages(before, limit + (round === 1 ? 1 : SPARE))
      await this.#judgePages(pages)
      const edge = edgeOf(pages)
      const found = this.#foundDownTo(edge)
      const isTooMuch = this.#judged.size >= JUDGED_MAX || round >= ROUNDS_MAX
      const isEnough = found.length > limit || isTooMuch
      if (edge !== undefined && !isEnough) {
        before = edge
        continue
      }
      const shown = found.slice(0, limit)
      const next = found.length > limit ? shown.at(-1)!.item.position : edge
      return {
        found: shown,
        isWhole: this.#searched.length === this.#sources.length,
        ...(next !== undefined && { next }),
      }
    }
  }

  async #pages(before: Stamp | undefined, count: number): Promise<readonly FoundPage[]> {
    const { after } = this.#query
    return await Promise.all(
      this.#searched.map((source) =>
        source.search({
          numbers: this.#numbers,
          limit: Math.min(PAGE_ITEMS_MAX, count),
          ...(before !== undefined && { before }),
          ...(after !== undefined && { after }),
        }),
      ),
    )
  }

  async #judgePages(pages: readonly FoundPage[]): Promise<void> {
    const byKey = new Map<string, Set<string>>()
    for (const { key, item } of pages.flatMap(({ found }) => found)) {
      if (!this.#isWithin(key) || this.#judged.has(itemName({ key, id: item.id }))) continue
      if (this.#isExact(key, item.position)) this.#note(key, item.id, item)
      else byKey.set(key, (byKey.get(key) ?? new Set()).add(item.id))
    }
    const keys = [...byKey]
    for (let from = 0; from < keys.length; from += KEYS_AT_ONCE) {
      const some = keys.slice(from, from + KEYS_AT_ONCE)
      await Promise.all(some.map(([key, ids]) => this.#judge(key, [...ids])))
    }
  }

  /** What the one source says of an item is all there is to say. */
  #isExact(key: string, position: Stamp): boolean {
    if (this.#sources.length > 1 || this.#pendingKeys.has(key)) return false
    return position > (this.#context.tombstones.get(key) ?? '')
  }

  async #judge(key: string, ids: readonly string[]): Promise<void> {
    for (let from = 0; from < ids.length; from += PAGE_ITEMS_MAX) {
      const some = ids.slice(from, from + PAGE_ITEMS_MAX)
      const items = await readMergedById(this.#context, this.#sources, key, some)
      const byId = new Map(items.map((item) => [item.id, item]))
      for (const id of some) this.#note(key, id, byId.get(id))
    }
  }

  #note(key: string, id: string, item: FoundItem['item'] | undefined): void {
    const isWanted = item !== undefined && this.#isWanted(key, item)
    if (isWanted) observeItems(this.#context, key, [item])
    this.#judged.set(itemName({ key, id }), isWanted ? { key, item } : undefined)
  }

  #isWanted(key: string, item: FoundItem['item']): boolean {
    const value = itemValue(item)
    const indexed = value === undefined ? undefined : indexedItem(key, item.id, value)
    if (indexed === undefined) return false
    const { role, terms } = this.#query
    return (role === undefined || indexed.role === role) && isMatch(indexed.texts, terms)
  }

  #mayMatch(operation: Operation): operation is Operation & { readonly id: string } {
    if (operation.kind !== 'put' || operation.change === 'remove') return false
    const { key, id, position, value } = operation
    return this.#isWanted(key, { id, position, appendedAt: position, appended: value })
  }

  #isWithin(key: string): boolean {
    const { prefix, key: only } = this.#query
    return only === undefined ? key.startsWith(prefix) : key === only
  }

  /** Those within the bounds, latest first. */
  #foundDownTo(edge: Stamp | undefined): FoundItem[] {
    const { before, after } = this.#query
    const found: FoundItem[] = []
    for (const one of this.#judged.values()) {
      const position = one?.item.position
      if (one === undefined || position === undefined) continue
      if (before !== undefined && position >= before) continue
      if (after !== undefined && position <= after) continue
      if (edge === undefined || position >= edge) found.push(one)
    }
    return found.sort((a, b) => (a.item.position > b.item.position ? -1 : 1))
  }
}

/** Down to where every page is whole; undefined when all are at their end. */
function edgeOf(pages: readonly FoundPage[]): Stamp | undefined {
  let nearest: Stamp | undefined
  for (const { done, edge } of pages) {
    if (!done && edge !== undefined && (nearest === undefined || edge > nearest)) nearest = edge
  }
  return nearest
}
