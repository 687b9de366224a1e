import type { FoundItem, LatestKey } from '../../backend/replica-backend.ts'
import type { Item, Register } from '../../core/merge.ts'
import type { SearchScope } from '../../core/search/search-numbers.ts'
import type { SearchTerms } from '../../core/search/search-terms.ts'
import type { Stamp } from '../../core/stamp.ts'
import type { StoreContext } from '../context.ts'

/** What every read tells about itself. */
export interface ReadMark {
  /**
   * True when nothing is missing that any process acknowledged before the read began, but for what
   * only another process's own log holds.
   */
  readonly complete: boolean
}

/** A page of one list, as a store is asked for it. */
export interface ItemsQuery {
  readonly key: string
  readonly before?: Stamp
  readonly after?: Stamp
  readonly limit: number
  readonly order: 'newest' | 'oldest'
  /** The answer also says what is gone. */
  readonly includeGone?: boolean
}

/** What a later look at a page must know, so that nothing that is laid over it comes back. */
export interface Gone {
  /** The removals of items that stand among those of the page. */
  readonly removed: readonly Item[]
  readonly deletedThrough: Stamp | undefined
}

/** The answer of a store to an `ItemsQuery`. */
export interface ItemsRead extends ReadMark {
  /** Visible items in the order asked for. */
  readonly items: readonly Item[]
  /** True when there is nothing beyond the last item. */
  readonly done: boolean
  /** There when it was asked for. */
  readonly gone?: Gone
}

/** The answer of a store for the value of a key. */
export interface RegisterRead extends ReadMark {
  readonly register: Register | undefined
}

/** The answer of a store for the values of several keys. */
export interface RegistersRead extends ReadMark {
  /** One for each key, in their order; undefined where there is no value. */
  readonly registers: readonly (Register | undefined)[]
}

/** How many items a store counts in one list. */
export interface CountedRead extends ReadMark {
  readonly count: number
}

/** The answer of a store to a `KeyQuery`. */
export interface KeysRead extends ReadMark {
  readonly keys: readonly string[]
  readonly done: boolean
}

/** The answer of a store to a `LatestQuery`. */
export interface LatestRead extends ReadMark {
  readonly keys: readonly LatestKey[]
  readonly done: boolean
}

/** What a store is asked to find: items of all keys of a tenant, or of one. */
export interface ItemsSearch extends SearchScope {
  readonly terms: SearchTerms
  /** Only positions below. */
  readonly before?: Stamp
  /** Only positions above. */
  readonly after?: Stamp
  readonly limit: number
}

/** The answer of a store to an `ItemsSearch`. */
export interface FoundRead extends ReadMark {
  /** Visible items that have the words, latest first. */
  readonly found: readonly FoundItem[]
  /** Pass it as `before` to go on; absent: nothing lies beyond. */
  readonly next?: Stamp
}

/**
 * Which place answers a read. Whatever it is, the operations that are pending for that place are
 * laid over its answer, so that one's own messages are in it.
 *
 * A read that fails everywhere rejects with one `UNAVAILABLE` that has every cause; an outage never
 * reads as absence.
 */
export interface ReadPort {
  readonly name: string
  /** What it was made with; for people. */
  readonly config: object
  /** Only values can be read: lists and keys are `UNSUPPORTED`. */
  readonly valuesOnly?: boolean
  /** Set by a strategy that reads through the primary's cache. */
  readonly cacheUse?: CacheUse
  readItems(context: StoreContext, query: ItemsQuery): Promise<ItemsRead>
  /** The items of these ids that are there, removed ones too. */
  readItemsById(context: StoreContext, key: string, ids: readonly string[]): Promise<ItemsRead>
  readRegister(context: StoreContext, key: string): Promise<RegisterRead>
  /** The same for 1 to 1000 different keys in one call of a place. */
  readRegisters(context: StoreContext, keys: readonly string[]): Promise<RegistersRead>
  countItems(context: StoreContext, key: string): Promise<CountedRead>
  listKeys(
    context: StoreContext,
    query: { readonly prefix: string; readonly after?: string; readonly limit: number },
  ): Promise<KeysRead>
  listLatest(
    context: StoreContext,
    query: { readonly prefix: string; readonly before?: LatestKey; readonly limit: number },
  ): Promise<LatestRead>
  /** Left out by a strategy that cannot search: then it is `UNSUPPORTED`. */
  search?: ((context: StoreContext, query: ItemsSearch) => Promise<FoundRead>) | undefined
}

/** How a read strategy uses the cache. */
export interface CacheUse {
  /** This process is the only one that writes: then a cache in memory is as good as a shared one. */
  readonly singleProcess: boolean
  /** Time of one call of the cache. Milliseconds. */
  readonly timeoutMs: number
  /** Entries that this process keeps in memory in front of a shared cache; 0 for none. */
  readonly localEntries: number
  readonly ttlSeconds: number
}

/** The same for every read strategy. */
export interface ReadConfig {
  /** Ask the other database too when the first one has nothing. Default: false. */
  readonly treatEmptyAsFailure?: boolean
  /** Attempts at a place after the first one, before the other place is asked. Default: 0. */
  readonly maxRetries?: number
  /** Pause between them. Milliseconds. Default: 50. */
  readonly retryDelay?: number
  /** Time of one call of a place. Milliseconds. Default: 2000. */
  readonly timeout?: number
  /**
   * How old the list of hints may be by which `complete` is judged, at most 60,000. Milliseconds. With
   * the default of 0 it is fetched from the backup beside each read, and `complete` speaks for the
   * moment of the call; else it may speak for a moment that was so long ago. For a backup whose calls
   * are slow or cost money. Updates, removals and saves with ids always fetch it.
   */
  readonly maxHintAge?: number
  /**
   * Of a strategy that reads through a cache: lay what is pending for the primary over the cached page, where
   * it needs no look into the database, instead of passing the cache by. The others have no use for it: what
   * is pending is laid over every answer of a place. Default: true.
   */
  readonly enableCacheMerge?: boolean
}
