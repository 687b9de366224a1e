/*
 * Reads conversations over the seams of forks. What a fork shows is its own list, and below the marker what
 * it shares: the source's messages up to the marker, except for those that the fork has for itself (`shared/`):
 * a copy that outlived the source's message, an edit, or a removal. An item there decides alone.
 *
 * A conversation that is no fork costs what its list costs: whoever reaches the beginning of a fork's list
 * finds the marker. Only a page that lies wholly before something, and is empty, is looked at twice.
 */
import { StorageError } from '../../core/errors.ts'
import { PAGE_ITEMS_MAX } from '../../core/limits.ts'
import { byPosition, itemValue, type Item } from '../../core/merge.ts'
import type { Stamp } from '../../core/stamp.ts'
import type { ItemsQuery, ItemsRead } from '../../strategy/read/read-port.ts'
import { isMessageText } from '../codec.ts'
import { conversationKey, sideKey } from '../keys.ts'
import {
  isMarkerItem,
  isMarkerText,
  MARKER_ID,
  markerOf,
  markerPosition,
  sharedEnd,
  type ForkMarker,
} from './fork-marker.ts'

/** Forks of forks that share messages through each other. */
export const FORK_DEPTH_MAX = 32

/** Where lists are read: a store, or one database. */
export interface ListReader {
  readItems(query: ItemsQuery): Promise<Omit<ItemsRead, 'gone'>>
  readItemsById(
    key: string,
    ids: readonly string[],
  ): Promise<{ readonly items: readonly Item[]; readonly complete: boolean }>
  /** The item whole, from wherever it is; undefined when it was cleared. @throws StorageError `CORRUPT` */
  mend(key: string, item: Item, isIntact: typeof isMarkerText): Promise<Item | undefined>
}

/** A message, and the list that it stands in. */
export interface ViewItem {
  readonly key: string
  readonly item: Item
}

export type ViewQuery = Pick<ItemsQuery, 'limit' | 'order' | 'before' | 'after'>

export interface ViewPage {
  /** In the order asked for. */
  readonly items: readonly ViewItem[]
  /** Where the next page goes on. Absent: there is nothing beyond. */
  readonly next: Stamp | undefined
  readonly complete: boolean
}

/** One message by its id. */
export interface ViewFound {
  /** Where it stands, also when it was removed; the conversation's own key when there is none. */
  readonly key: string
  readonly item: Item | undefined
  /** It is another conversation's, and shared. */
  readonly isShared: boolean
  readonly complete: boolean
}

/** A message that is there. */
interface FoundHere extends ViewItem {
  readonly isShared: boolean
}

/** Messages by their ids; what is not there is left out. */
export interface ViewFoundMany {
  readonly found: ReadonlyMap<string, FoundHere>
  readonly complete: boolean
}

/** Conversations of one tenant as their readers see them. */
export class ConversationView {
  readonly #lists: ListReader
  readonly #tenant: string

  constructor(lists: ListReader, tenant: string) {
    this.#lists = lists
    this.#tenant = tenant
  }

  /** A page; it has fewer items than asked for only at the end. */
  async page(conversationId: string, query: ViewQuery, depth = 0): Promise<ViewPage> {
    const key = conversationKey(this.#tenant, conversationId)
    const own = await this.#lists.readItems({ key, ...query })
    const { marker, complete } = await this.#markerOf(key, own, query)
    const items = own.items.filter((item) => !isMarkerItem(item)).map((item) => ({ key, item }))
    if (marker === undefined) {
      return { items, next: own.done ? undefined : own.items.at(-1)?.position, complete }
    }
    const bound = sharedEnd(marker)
    const before = query.before !== undefined && query.before < bound ? query.before : bound
    const shared = { ...query, before }
    if (query.order === 'newest') {
      const limit = query.limit - items.length
      const below = await this.#shared(conversationId, marker, { ...shared, limit }, depth)
      return {
        items: [...items, ...below.items],
        next: below.next,
        complete: complete && below.complete,
      }
    }
    const below = await this.#shared(conversationId, marker, shared, depth)
    if (below.next !== undefined) return { ...below, complete: complete && below.complete }
    const shown = [...below.items, ...items].slice(0, query.limit)
    const isAll = own.done && shown.length === below.items.length + items.length
    const next = isAll ? undefined : (shown.at(-1)?.item.position ?? markerPosition(marker))
    const read = { items: shown, next, complete: complete && below.complete }
    if (next === undefined || shown.length === query.limit) return read
    // The marker was one of the page's items.
    const limit = query.limit - shown.length
    const more = await this.page(conversationId, { ...query, after: next, limit }, depth)
    return {
      items: [...shown, ...more.items],
      next: more.next,
      complete: read.complete && more.complete,
    }
  }

  /** One message, or nothing of it; removed ones too. */
  async find(conversationId: string, id: string): Promise<ViewFound> {
    const { found, complete } = await this.findMany(conversationId, [id])
    const key = conversationKey(this.#tenant, conversationId)
    return { ...(found.get(id) ?? { key, item: undefined, isShared: false }), complete }
  }

  /** Those that are there, at most 999, by their ids; removed ones too. */
  async findMany(
    conversationId: string,
    ids: readonly string[],
    depth = 0,
  ): Promise<ViewFoundMany> {
    const key = conversationKey(this.#tenant, conversationId)
    const read = await this.#lists.readItemsById(key, [...new Set([...ids, MARKER_ID])])
    const wanted = new Set(ids)
    const found = new Map<string, FoundHere>()
    for (const item of read.items) {
      if (wanted.has(item.id) && !isMarkerItem(item)) {
        found.set(item.id, { key, item, isShared: false })
      }
    }
    const rest = ids.filter((id) => !found.has(id))
    const item = read.items.find((each) => each.id === MARKER_ID)
    const marker = item && (await this.#readMarker(key, item))
    if (rest.length === 0 || marker === undefined) return { found, complete: read.complete }
    checkDepth(depth)
    const copies = sideKey('shared', this.#tenant, conversationId)
    // Copies last: what goes from the source is copied before.
    const source =
      marker.conversationId === undefined
        ? { found: new Map<string, FoundHere>(), complete: true }
        : await this.findMany(marker.conversationId, rest, depth + 1)
    const kept = await this.#lists.readItemsById(copies, rest)
    const end = sharedEnd(marker)
    const copied = new Map(
      kept.items.filter(({ position }) => position < end).map((each) => [each.id, each]),
    )
    for (const id of rest) {
      const copy = copied.get(id)
      const shared = source.found.get(id)
      if (copy !== undefined) found.set(id, { key: copies, item: copy, isShared: false })
      else if (shared !== undefined && isVisible(shared.item) && shared.item.position < end) {
        found.set(id, { ...shared, isShared: true })
      }
    }
    return { found, complete: read.complete && kept.complete && source.complete }
  }

  /** How many messages it shows. Those that a fork shares are read for it. */
  async count(
    conversationId: string,
    countItems: (key: string) => Promise<{ readonly count: number }>,
  ): Promise<number> {
    const key = conversationKey(this.#tenant, conversationId)
    const [{ count }, { marker }] = await Promise.all([
      countItems(key),
      this.marker(conversationId),
    ])
    if (marker === undefined) return count
    let shown = count - 1
    const end = markerPosition(marker)
    for (let before: Stamp | undefined = end; before !== undefined;) {
      const query = { order: 'newest', limit: PAGE_ITEMS_MAX, before } as const
      const page: ViewPage = await this.page(conversationId, query)
      shown += page.items.length
      before = page.next
    }
    return shown
  }

  /** What the conversation shares, if it is a fork. */
  async marker(
    conversationId: string,
  ): Promise<{ readonly marker: ForkMarker | undefined; readonly complete: boolean }> {
    const key = conversationKey(this.#tenant, conversationId)
    const { items, complete } = await this.#lists.readItemsById(key, [MARKER_ID])
    const [item] = items
    return { marker: item && (await this.#readMarker(key, item)), complete }
  }

  /** The marker that a page reached, or lies before. */
  async #markerOf(
    key: string,
    own: Omit<ItemsRead, 'gone'>,
    { order, before }: ViewQuery,
  ): Promise<{ readonly marker: ForkMarker | undefined; readonly complete: boolean }> {
    const { items, done, complete } = own
    const first = order === 'newest' ? items.at(-1) : items[0]
    if (first !== undefined) return { marker: await this.#readMarker(key, first), complete }
    if (before === undefined || !done) return { marker: undefined, complete }
    const read = await this.#lists.readItemsById(key, [MARKER_ID])
    const marker = read.items[0] && (await this.#readMarker(key, read.items[0]))
    return { marker, complete: complete && read.complete }
  }

  async #readMarker(key: string, item: Item): Promise<ForkMarker | undefined> {
    if (item.id !== MARKER_ID) return undefined
    const text = itemValue(item)
    const marker = markerOf(item)
    if (text === undefined || marker !== undefined || isMessageText(text)) return marker
    const whole = await this.#lists.mend(
      key,
      item,
      (each) => isMarkerText(each) || isMessageText(each),
    )
    return whole && markerOf(whole)
  }

  /** What a fork shares, without what it has for itself of it, and with that. */
  async #shared(
    conversationId: string,
    marker: ForkMarker,
    query: ViewQuery,
    depth: number,
  ): Promise<ViewPage> {
    checkDepth(depth)
    const copies = sideKey('shared', this.#tenant, conversationId)
    const isNewest = query.order === 'newest'
    const items: ViewItem[] = []
    let bounds = query
    let complete = true
    for (;;) {
      // What goes from the source is copied before: whoever looks for copies afterwards misses nothing.
      const source = await this.#source(marker, bounds, depth + 1)
      const ids = source.items.map(({ item }) => item.id)
      const [kept, replaced] = await Promise.all([
        this.#lists.readItems({ key: copies, ...bounds }),
        this.#among(copies, ids),
      ])
      complete &&= source.complete && kept.complete && replaced.complete
      // One of these two may have been read before a copy was made.
      const own = new Map(kept.items.map((item) => [item.id, item]))
      for (const item of replaced.items) if (isWithin(item, bounds)) own.set(item.id, item)
      const isReplaced = new Set([...own.keys(), ...replaced.items.map(({ id }) => id)])
      const merged = [
        ...source.items.filter(({ item }) => !isReplaced.has(item.id)),
        ...[...own.values()].filter(isVisible).map((item) => ({ key: copies, item })),
      ].sort((a, b) => byPosition(a.item, b.item))
      if (isNewest) merged.reverse()
      // Beyond where one of the two ends, the other one may have something in between.
      const ends = [source.next, kept.done ? undefined : kept.items.at(-1)?.position]
      const [end] = ends
        .filter((each) => each !== undefined)
        .sort((a, b) => (a < b === isNewest ? 1 : -1))
      const known = merged.filter(({ item: { position } }) => {
        return end === undefined || (isNewest ? position >= end : position <= end)
      })
      const taken = known.slice(0, query.limit - items.length)
      items.push(...taken)
      const next = taken.length < known.length ? taken.at(-1)!.item.position : end
      if (next === undefined || items.length === query.limit) return { items, next, complete }
      bounds = {
        ...query,
        limit: query.limit - items.length,
        [isNewest ? 'before' : 'after']: next,
      }
    }
  }

  async #source(
    { conversationId }: ForkMarker,
    query: ViewQuery,
    depth: number,
  ): Promise<ViewPage> {
    if (conversationId === undefined) return { items: [], next: undefined, complete: true }
    return await this.page(conversationId, query, depth)
  }

  async #among(
    key: string,
    ids: readonly string[],
  ): Promise<{ readonly items: readonly Item[]; readonly complete: boolean }> {
    if (ids.length === 0) return { items: [], complete: true }
    return await this.#lists.readItemsById(key, ids)
  }
}

function isVisible(item: Item): boolean {
  return itemValue(item) !== undefined
}

function isWithin({ position }: Item, { before, after }: ViewQuery): boolean {
  return (before === undefined || position < before) && (after === undefined || position > after)
}

/** A fork is refused before it stands so deep: what does is none of ours. */
function checkDepth(depth: number): void {
  if (depth < FORK_DEPTH_MAX) return
  throw new StorageError('CORRUPT', `a fork shares through more than ${FORK_DEPTH_MAX} others`)
}
