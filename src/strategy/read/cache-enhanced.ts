import { PAGE_ITEMS_MAX } from '../../core/limits.ts'
import {
  applyOperation,
  emptyState,
  mergeItem,
  raiseDeletedThrough,
  visibleItems,
  type Register,
} from '../../core/merge.ts'
import { fieldsOf } from '../../core/given.ts'
import type { Operation, PutOperation } from '../../core/operation.ts'
import { mapLimited } from '../../core/semaphore.ts'
import { boolean, byDefault, integer, ms } from '../../core/option-kinds.ts'
import { resolve, type OptionTable } from '../../core/options.ts'
import type { FillToken, Lookup } from '../cache/shared-cache.ts'
import { registerCodec } from '../cache/register-codec.ts'
import { windowCodec, type Window } from '../cache/window-codec.ts'
import { observeItems, observeKey, type StoreContext } from '../context.ts'
import { FillQueue } from '../cache/fill-queue.ts'
import { PrimaryFirstReadStrategy } from './primary-first.ts'
import { HINT_AGE_MAX_MS, READ_OPTIONS } from './selecting-read-strategy.ts'
import { HINTS_FRESH_MS } from '../replica-monitor.ts'
import { judgePrimary } from './judge-primary.ts'
import type {
  CacheUse,
  ItemsQuery,
  ItemsRead,
  ReadConfig,
  RegisterRead,
  RegistersRead,
} from './read-port.ts'

export interface CacheEnhancedReadConfig extends ReadConfig {
  /**
   * Items of a conversation that are cached: its last ones; a longer page passes the cache by.
   * Default: 50, the default of a page.
   */
  readonly windowSize?: number
  /** Life of an entry. Seconds. Default: 300. */
  readonly ttl?: number
  /** Time of one call of the cache. Milliseconds. Default: 100. */
  readonly cacheTimeout?: number
  /**
   * Entries kept decoded in this process in front of the cache. Default: 0, or 1,000 with
   * `singleProcess`.
   */
  readonly localEntries?: number
  /** Only this process writes: then a cache in memory will do. Default: false. */
  readonly singleProcess?: boolean
}

/** Entries that one read of many keys stores at once. */
const FILLS_AT_ONCE = 64
/** Entries kept decoded where no other process writes. */
const LOCAL_ENTRIES = 1_000

export const CACHE_ENHANCED_OPTIONS: OptionTable<
  CacheEnhancedReadConfig,
  Exclude<keyof CacheEnhancedReadConfig, 'localEntries'>
> = {
  ...READ_OPTIONS,
  windowSize: byDefault(50, integer(1, PAGE_ITEMS_MAX)),
  ttl: byDefault(300, integer(1, 30 * 86_400, 's')),
  cacheTimeout: byDefault(100, ms(1, 60_000)),
  localEntries: integer(0, 10_000_000),
  singleProcess: byDefault(false, boolean()),
}

/**
 * The cache, then primary-first. It holds the last items of each conversation and single values, as
 * the primary has them; a write of any process that shares the cache invalidates them before it is
 * acknowledged (`shared-cache.ts` says how). Whenever the primary alone would not be complete, the
 * cache is ignored.
 */
export class CacheEnhancedReadStrategy extends PrimaryFirstReadStrategy {
  override readonly name: string = 'cache-enhanced'
  override readonly config: Readonly<CacheEnhancedReadConfig>
  readonly cacheUse: CacheUse
  readonly #merge: boolean
  readonly #windowSize: number
  readonly #windows = new FillQueue<ItemsRead>()
  readonly #registers = new FillQueue<RegisterRead>()

  constructor(config: CacheEnhancedReadConfig = {}) {
    const given = fieldsOf('options', config)
    const { windowSize, ttl, cacheTimeout, singleProcess, ...others } = resolve(
      '',
      given,
      CACHE_ENHANCED_OPTIONS,
    )
    const { localEntries = singleProcess ? LOCAL_ENTRIES : 0, ...read } = others
    // Where nobody else writes there are no hints but our own.
    super({ ...read, ...(singleProcess && { maxHintAge: HINT_AGE_MAX_MS }) })
    this.config = Object.freeze(given)
    this.#merge = read.enableCacheMerge
    this.#windowSize = windowSize
    this.cacheUse = { singleProcess, timeoutMs: cacheTimeout, localEntries, ttlSeconds: ttl }
  }

  override async readItems(context: StoreContext, query: ItemsQuery): Promise<ItemsRead> {
    const { key, limit, order, before, after } = query
    const isWindow = order === 'newest' && before === undefined && after === undefined
    if (!isWindow || limit > this.#windowSize || !isUsable(context)) {
      return await super.readItems(context, query)
    }
    const judged = judgePrimary(context, this.resolved.maxHintAgeMs)
    // Noted before the cache is asked, like before any place.
    const pending = await context.log.pending('primary', key)
    if (!this.#canLayOver(pending)) return await super.readItems(context, query)
    const found = await context.cache!.get('window', key, windowCodec)
    const window = found.hit ? found.data : undefined
    if (window !== undefined && this.#isRecent(context, key, window)) {
      const page = layOver(context, key, window, pending, limit)
      if (page !== undefined && (await isBelieved(judged))) {
        observeItems(context, key, page.items)
        return page
      }
    }
    const full = await this.#fillWindow(context, key, found)
    return full.complete ? cut(full, limit) : await super.readItems(context, query)
  }

  override async readRegister(context: StoreContext, key: string): Promise<RegisterRead> {
    if (!isUsable(context) || (await isPending(context, key))) {
      return await super.readRegister(context, key)
    }
    const judged = judgePrimary(context, this.resolved.maxHintAgeMs)
    const found = await context.cache!.get('value', key, registerCodec)
    if (isUsableHit(context, key, found) && (await isBelieved(judged))) {
      context.clock.observe(found.data?.stamp, key)
      return { register: found.data ?? undefined, complete: true }
    }
    return await this.#registers.run(key, async () => {
      const token = await tokenOf(found, () => context.cache!.get('value', key, registerCodec))
      const read = await super.readRegister(context, key)
      if (token !== undefined && read.complete) {
        await context.cache!.fill('value', key, token, read.register ?? null, registerCodec)
      }
      return read
    })
  }

  override async readRegisters(
    context: StoreContext,
    keys: readonly string[],
  ): Promise<RegistersRead> {
    if (!isUsable(context)) return await super.readRegisters(context, keys)
    const pending = new Set(await context.log.pendingAmong('primary', keys))
    const judged = judgePrimary(context, this.resolved.maxHintAgeMs)
    const cached = keys.filter((key) => !pending.has(key))
    const lookups = await context.cache!.getMany('value', cached, registerCodec)
    const isTrue = await isBelieved(judged)
    const found = new Map<string, Register | undefined>()
    const tokens = new Map<string, FillToken>()
    lookups.forEach((lookup, i) => {
      const key = cached[i]!
      if (isTrue && isUsableHit(context, key, lookup)) {
        context.clock.observe(lookup.data?.stamp, key)
        found.set(key, lookup.data ?? undefined)
      } else if (!lookup.hit && lookup.token !== undefined) tokens.set(key, lookup.token)
    })
    const missed = keys.filter((key) => !found.has(key))
    let complete = true
    if (missed.length > 0) {
      const read = await super.readRegisters(context, missed)
      complete = read.complete
      missed.forEach((key, i) => found.set(key, read.registers[i]))
    }
    if (complete) await this.#fillValues(context, tokens, found)
    return { registers: keys.map((key) => found.get(key)), complete }
  }

  async #fillValues(
    context: StoreContext,
    tokens: ReadonlyMap<string, FillToken>,
    found: ReadonlyMap<string, Register | undefined>,
  ): Promise<void> {
    await mapLimited([...tokens], FILLS_AT_ONCE, ([key, token]) =>
      context.cache!.fill('value', key, token, found.get(key) ?? null, registerCodec),
    )
  }

  #canLayOver(pending: readonly Operation[]): boolean {
    if (pending.length === 0) return true
    return this.#merge && pending.every((operation) => operation.kind === 'put')
  }

  /** A window from before a clear that this process knows of is not used, whatever the cache says. */
  #isRecent(context: StoreContext, key: string, { items, gone }: Window): boolean {
    const seen = context.tombstones.get(key)
    if (seen === undefined) return true
    return [...items, ...gone.removed].every(({ position }) => position > seen)
  }

  async #fillWindow(context: StoreContext, key: string, found: Lookup<Window>): Promise<ItemsRead> {
    return await this.#windows.run(key, async () => {
      const token = await tokenOf(found, () => context.cache!.get('window', key, windowCodec))
      const limit = this.#windowSize
      const query = { key, limit, order: 'newest', includeGone: true } as const
      const read = await super.readItems(context, query)
      const { items, done, gone, complete } = read
      // With something pending the page is more than the primary has.
      if (token !== undefined && complete && gone && !(await isPending(context, key))) {
        await context.cache!.fill('window', key, token, { items, done, gone }, windowCodec)
      }
      return read
    })
  }
}

/** A value from before a clear that this process knows of is not used, whatever the cache says. */
function isUsableHit(
  context: StoreContext,
  key: string,
  found: Lookup<Register | null>,
): found is { readonly hit: true; readonly data: Register | null } {
  if (!found.hit) return false
  const seen = context.tombstones.get(key)
  return seen === undefined || (found.data?.stamp ?? '') > seen
}

/** Also what other processes appended to a shared log. */
async function isPending({ log }: StoreContext, key: string): Promise<boolean> {
  return (await log.pending('primary', key)).length > 0
}

/** The cache speaks for the primary: it is used only while the primary alone would be complete. */
function isUsable({ cache, log, monitor }: StoreContext): boolean {
  if (cache === undefined || log.isUnknown()) return false
  if (monitor.hintsAgeMs() > HINTS_FRESH_MS) return false
  return monitor.isPrimaryCurrent() && monitor.isTrusted()
}

/** A cached answer counts only where it is complete; else the databases are asked. */
async function isBelieved(judged: ReturnType<typeof judgePrimary>): Promise<boolean> {
  return (await judged) === 'current'
}

/** Tags that were read before this fill began. */
async function tokenOf(
  found: Lookup<unknown>,
  lookUpAgain: () => Promise<Lookup<unknown>>,
): Promise<FillToken | undefined> {
  if (!found.hit && found.token !== undefined) return found.token
  const again = await lookUpAgain()
  return again.hit ? undefined : again.token
}

/** The cached page with what is pending for the primary; undefined when the database must help. */
function layOver(
  context: StoreContext,
  key: string,
  { items, done, gone }: Window,
  pending: readonly Operation[],
  limit: number,
): ItemsRead | undefined {
  observeKey(context, key, gone.deletedThrough)
  if (pending.length === 0) return cut({ items, done, complete: true }, limit)
  const known = new Set([...items, ...gone.removed].map(({ id }) => id))
  const standing: PutOperation[] = []
  for (const operation of pending) {
    if (operation.kind !== 'put') return undefined
    const fresh = operation.change === 'append' && operation.id === operation.position
    if (!fresh && !known.has(operation.id)) return undefined
    standing.push(operation)
  }
  const state = emptyState()
  raiseDeletedThrough(state, context.tombstones.get(key))
  for (const item of [...items, ...gone.removed]) mergeItem(state, item)
  for (const operation of standing) applyOperation(state, operation)
  const oldest = items.at(-1)?.position
  const visible = visibleItems(state)
    .filter(({ position }) => done || oldest === undefined || position >= oldest)
    .reverse()
  if (visible.length < limit && !done) return undefined
  return cut({ items: visible, done, complete: true }, limit)
}

function cut({ items, done, complete }: ItemsRead, limit: number): ItemsRead {
  return { items: items.slice(0, limit), done: done && items.length <= limit, complete }
}
