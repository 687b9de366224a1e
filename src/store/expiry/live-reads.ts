/*
 * Reads that leave out what has expired by this process's clock, which follows that of the primary. The time is
 * taken before the places are asked: nothing is shown that had expired before the read began.
 */
import { PAGE_ITEMS_MAX } from '../../core/limits.ts'
import { itemValue, type Item, type Register } from '../../core/merge.ts'
import { mapLimited } from '../../core/semaphore.ts'
import { maxStamp } from '../../core/stamp.ts'
import { compareText } from '../../core/text.ts'
import type { StoreContext } from '../../strategy/context.ts'
import type {
  CountedRead,
  Gone,
  ItemsQuery,
  ItemsRead,
  KeysRead,
  LatestRead,
  ReadPort,
  RegisterRead,
  RegistersRead,
} from '../../strategy/read/read-port.ts'
import { isExpired } from './expiring-text.ts'
import { isOwnKey, MARK_PREFIX, markKey } from './expiry-keys.ts'

type KeysQuery = Parameters<ReadPort['listKeys']>[1]
type LatestQuery = Parameters<ReadPort['listLatest']>[1]

/** Keys that are looked at closer at once. */
const LOOKS_AT_ONCE = 16

/** The same strategy without what has expired, and without the store's own keys in lists of all keys. */
export class LiveReads implements ReadPort {
  readonly #read: ReadPort

  constructor(read: ReadPort) {
    this.#read = read
  }

  get name(): string {
    return this.#read.name
  }

  get config(): object {
    return this.#read.config
  }

  get valuesOnly(): boolean {
    return this.#read.valuesOnly === true
  }

  get search(): ReadPort['search'] {
    if (this.#read.search === undefined) return undefined
    return async (context, query) => {
      const nowMs = context.clock.now()
      const page = await this.#read.search!(context, query)
      return { ...page, found: page.found.filter(({ item }) => !hasExpired(item, nowMs)) }
    }
  }

  async readRegister(context: StoreContext, key: string): Promise<RegisterRead> {
    const nowMs = context.clock.now()
    const read = await this.#read.readRegister(context, key)
    return { ...read, register: live(read.register, nowMs) }
  }

  async readRegisters(context: StoreContext, keys: readonly string[]): Promise<RegistersRead> {
    const nowMs = context.clock.now()
    const read = await this.#read.readRegisters(context, keys)
    return { ...read, registers: read.registers.map((register) => live(register, nowMs)) }
  }

  /** A page is as long as was asked for: where some have expired, more are read. */
  async readItems(context: StoreContext, query: ItemsQuery): Promise<ItemsRead> {
    const nowMs = context.clock.now()
    const first = await this.#read.readItems(context, query)
    if (!first.items.some((item) => hasExpired(item, nowMs))) return first
    const items = first.items.filter((item) => !hasExpired(item, nowMs))
    let { done, complete, gone } = first
    let edge = first.items.at(-1)?.position
    while (!done && items.length < query.limit && edge !== undefined) {
      const bound = query.order === 'newest' ? { before: edge } : { after: edge }
      const page = await this.#read.readItems(context, {
        ...query,
        ...bound,
        limit: PAGE_ITEMS_MAX,
      })
      items.push(...page.items.filter((item) => !hasExpired(item, nowMs)))
      edge = page.items.at(-1)?.position
      done = page.done
      complete &&= page.complete
      gone = joinGone(gone, page.gone)
    }
    const isCut = items.length > query.limit
    return {
      items: items.slice(0, query.limit),
      done: done && !isCut,
      complete,
      ...(gone !== undefined && { gone }),
    }
  }

  async readItemsById(
    context: StoreContext,
    key: string,
    ids: readonly string[],
  ): Promise<ItemsRead> {
    const nowMs = context.clock.now()
    const read = await this.#read.readItemsById(context, key, ids)
    return { ...read, items: read.items.filter((item) => !hasExpired(item, nowMs)) }
  }

  /** The database counts, unless something of this key may expire: then the list is walked. */
  async countItems(context: StoreContext, key: string): Promise<CountedRead> {
    // Before the count: what is removed between the two is then in neither.
    const mark = await this.#read.readRegister(context, markKey(key))
    if (mark.register === undefined) {
      const { count, complete } = await this.#read.countItems(context, key)
      return { count, complete: complete && mark.complete }
    }
    let count = 0
    let complete = true
    let page: ItemsRead | undefined
    do {
      const after = page?.items.at(-1)?.position
      const query = { key, limit: PAGE_ITEMS_MAX, order: 'oldest' } as const
      page = await this.readItems(context, { ...query, ...(after !== undefined && { after }) })
      count += page.items.length
      complete &&= page.complete
    } while (!page.done)
    return { count, complete }
  }

  async listKeys(context: StoreContext, query: KeysQuery): Promise<KeysRead> {
    let complete = true
    let { after } = query
    for (;;) {
      const from = { ...query, ...(after !== undefined && { after }) }
      const marked = await this.#marked(context, from)
      const page = await this.#read.listKeys(context, from)
      complete &&= page.complete && marked.complete
      const known = page.keys.filter((key) => !isBeyond(key, marked.horizon))
      const isCut = known.length < page.keys.length
      const done = page.done && !isCut
      const keys = await this.#liveKeys(context, query.prefix, known, marked.keys)
      if (keys.length > 0 || done) return { keys, done, complete }
      after = isCut ? marked.horizon : known.at(-1)
    }
  }

  /** Keys by their latest item, also one that has expired and is not removed yet. */
  async listLatest(context: StoreContext, query: LatestQuery): Promise<LatestRead> {
    let complete = true
    let { before } = query
    for (;;) {
      const from = { ...query, ...(before !== undefined && { before }) }
      const page = await this.#read.listLatest(context, from)
      complete &&= page.complete
      const keys = page.keys.filter(({ key }) => isShown(key, query.prefix))
      if (keys.length > 0 || page.done) return { keys, done: page.done, complete }
      before = page.keys.at(-1)
    }
  }

  /** Keys of the page that may have something that expires; only up to the horizon are they known. */
  async #marked(
    context: StoreContext,
    { prefix, after, limit }: KeysQuery,
  ): Promise<{
    readonly keys: ReadonlySet<string>
    readonly horizon: string | undefined
    readonly complete: boolean
  }> {
    const page = await this.#read.listKeys(context, {
      prefix: MARK_PREFIX + prefix,
      limit,
      ...(after !== undefined && { after: MARK_PREFIX + after }),
    })
    const keys = page.keys.map((key) => key.slice(MARK_PREFIX.length))
    return {
      keys: new Set(keys),
      horizon: page.done ? undefined : keys.at(-1),
      complete: page.complete,
    }
  }

  async #liveKeys(
    context: StoreContext,
    prefix: string,
    keys: readonly string[],
    marked: ReadonlySet<string>,
  ): Promise<readonly string[]> {
    const shown = keys.filter((key) => isShown(key, prefix))
    const verdicts = await mapLimited(shown, LOOKS_AT_ONCE, async (key) =>
      marked.has(key) ? await this.#isLive(context, key) : true,
    )
    return shown.filter((_, i) => verdicts[i])
  }

  async #isLive(context: StoreContext, key: string): Promise<boolean> {
    if ((await this.readRegister(context, key)).register !== undefined) return true
    const page = await this.readItems(context, { key, limit: 1, order: 'newest' })
    return page.items.length > 0
  }
}

function isShown(key: string, prefix: string): boolean {
  return isOwnKey(prefix) || !isOwnKey(key)
}

function isBeyond(key: string, horizon: string | undefined): boolean {
  return horizon !== undefined && compareText(key, horizon) > 0
}

function live(register: Register | undefined, nowMs: number): Register | undefined {
  return register !== undefined && isExpired(register.value, nowMs) ? undefined : register
}

function hasExpired(item: Item, nowMs: number): boolean {
  const text = itemValue(item)
  return text !== undefined && isExpired(text, nowMs)
}

function joinGone(first: Gone | undefined, second: Gone | undefined): Gone | undefined {
  if (first === undefined || second === undefined) return first ?? second
  return {
    removed: [...first.removed, ...second.removed],
    deletedThrough: maxStamp(first.deletedThrough, second.deletedThrough),
  }
}
