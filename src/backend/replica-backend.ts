import type { Condition, FailedCondition } from '../core/conditions.ts'
import type { Deadline } from '../core/deadline.ts'
import type { Verdict } from '../core/decide.ts'
import type { BucketDigest, StampRange } from '../core/digest.ts'
import type { Item, Register } from '../core/merge.ts'
import type { Operation } from '../core/operation.ts'
import type { Stamp } from '../core/stamp.ts'
import type { DatabaseBackend } from './database-backend.ts'

/** Every call of a database takes these. */
export interface CallOptions {
  readonly signal?: AbortSignal
  /** After this the call rejects with `TIMEOUT` and the driver's work is cancelled. Milliseconds. */
  readonly timeoutMs?: number
  /**
   * The same end as these two, with one timer for all that waits for the call. An engine may go by it
   * and leave them aside.
   */
  readonly deadline?: Deadline
}

/** How far the log of one writer has come at a place. */
export interface WriterCursor {
  readonly writer: string
  /** Every WAL entry up to and including this LSN has been applied. */
  readonly lsn: number
}

/** How a call of `apply` is made. */
export interface ApplyOptions extends CallOptions {
  /** Judge the operations first (`core/decide.ts`); otherwise they are only merged. */
  readonly decide?: boolean
  /** With `decide`: appends carry callers' ids, which must be new. */
  readonly unique?: boolean
  /**
   * With `decide`: what must stand before any of the operations, judged in their transaction
   * (`core/conditions.ts`). When one does not hold the answer is `failed`, and the group is refused. A group
   * that was applied here before is not judged again. Only where `judgesConditions` says so.
   */
  readonly conditions?: readonly Condition[]
  /** Raises this writer's hint in the same transaction. */
  readonly hint?: string
  /** Stores the writer's cursor in the same transaction. It never goes back. */
  readonly cursor?: WriterCursor
}

/** What `apply` answers. */
export interface ApplyResult {
  /** The database that answered; see `ReplicaState.identity`. */
  readonly identity: string
  /** One answer an operation, in their order. */
  readonly applied: readonly Verdict[]
  /** The first condition that did not hold: then nothing was applied. */
  readonly failed?: FailedCondition
}

/** A page of one list. */
export interface ItemQuery {
  readonly key: string
  /** Only positions below. */
  readonly before?: Stamp
  /** Only positions above. */
  readonly after?: Stamp
  readonly limit: number
  /** `newest` starts at the end of the list and goes back. */
  readonly order: 'newest' | 'oldest'
  /** Also removed items. Default: false. */
  readonly includeRemoved?: boolean
}

/** Items of one list, as a database has them. */
export interface ItemPage {
  readonly identity: string
  readonly deletedThrough?: Stamp
  /** In the order asked for. */
  readonly items: readonly Item[]
  /** True when nothing lies beyond the last item. */
  readonly done: boolean
}

/** What a database has of the value of a key. */
export interface KeyRead {
  readonly identity: string
  readonly deletedThrough?: Stamp
  readonly register?: Register
}

/** What a database has of the values of several keys. */
export interface KeyReads {
  readonly identity: string
  /** One for each key, in their order. */
  readonly reads: readonly Omit<KeyRead, 'identity'>[]
}

/** How many items a database counts in one list. */
export interface CountRead {
  readonly identity: string
  readonly deletedThrough?: Stamp
  /** Visible items. */
  readonly count: number
}

/** A page of the keys that begin with a prefix. */
export interface KeyQuery {
  readonly prefix: string
  /** Only keys above, by code point. */
  readonly after?: string
  readonly limit: number
}

/** One page of keys. */
export interface KeyPage {
  readonly identity: string
  /** Keys with a register or a visible item, sorted by code point. */
  readonly keys: readonly string[]
  readonly done: boolean
}

/** A key and the position of its latest item. */
export interface LatestKey {
  readonly key: string
  /** Position of the latest visible item. */
  readonly latest: Stamp
}

/** A page of the keys that begin with a prefix, by their latest item. */
export interface LatestQuery {
  readonly prefix: string
  /** Only keys after this one in the order of the page. */
  readonly before?: LatestKey
  readonly limit: number
}

/** One page of keys by their latest item. */
export interface LatestPage {
  readonly identity: string
  /** Keys with a visible item; latest first, and by key where two are equal. */
  readonly keys: readonly LatestKey[]
  readonly done: boolean
}

/** Items that have all of some numbers (`core/search/search-numbers.ts`), latest first. */
export interface SearchQuery {
  readonly numbers: readonly number[]
  /** Only positions below. */
  readonly before?: Stamp
  /** Only positions above. */
  readonly after?: Stamp
  readonly limit: number
}

/** An item and the key of its list. */
export interface FoundItem {
  readonly key: string
  readonly item: Item
}

/** What a database has found: every visible item with the numbers, and some that only seem to be. */
export interface FoundPage {
  readonly identity: string
  readonly found: readonly FoundItem[]
  /** True when nothing lies beyond. */
  readonly done: boolean
  /** Down to this position all was looked at, itself included; absent when `done`. */
  readonly edge?: Stamp
}

/** Whether a database can be searched. */
export interface SearchState {
  /** `none`: it cannot be. `off`: it is not set up to. `building`: what is there already is being indexed. */
  readonly state: 'none' | 'off' | 'building' | 'ready'
  /** Why it is not `ready`. */
  readonly reason?: string
  /** While it is being built: how many items of how many that were there were looked at. */
  readonly indexed?: number
  readonly items?: number
}

/** This writer wrote to the backup because the primary was out. */
export interface Hint {
  readonly writer: string
  /** Raised each time, and never the same twice: not even after the hint was removed. */
  readonly count: number
}

/** Who wrote past the primary. */
export interface HintList {
  /** Random; made with the schema. It changes when the database is made anew. */
  readonly identity: string
  readonly hints: readonly Hint[]
  /**
   * Of two lists with the same number no hint came and went between them. Changed in the transaction
   * that raises a hint, or in the one that removes it. Left out by an engine that cannot tell.
   */
  readonly hintVersion?: number
}

/** What a database says of itself in one round trip. */
export interface ReplicaState extends HintList {
  /** Identity of the other database as of the last full reconcile, kept by this one. */
  readonly trusted?: string
  /** The greatest stamp stored here. */
  readonly head?: Stamp
  /** The stored cursor of the writer that was asked about. */
  readonly cursor?: number
  /**
   * The server's wall clock, Unix milliseconds. Left out by an engine that has none but this process's:
   * it would bear witness for that one.
   */
  readonly nowMs?: number
}

/** Takes a lease, prolongs it or gives it back. */
export interface LeaseRequest {
  /** Which work it is for. */
  readonly name: string
  /** Who asks: one name for each incarnation of a process. */
  readonly holder: string
  /** Until it ends by itself. Milliseconds, at most 600,000; 0 gives a lease that is held back. */
  readonly ttlMs: number
  /** Of the lease that is held, to prolong it or give it back; left out to take one. */
  readonly token?: number
  /** Kept with the lease, also for those who hold it later, until another note replaces it. */
  readonly note?: string
}

/** A lease that is held now. */
export interface Lease {
  /** Greater than the token of every earlier holder. 0: the engine has no leases. */
  readonly token: number
  /** The note that stands. */
  readonly note?: string
}

/** The call is only made while no later holder has taken the lease. */
export interface LeaseFence {
  readonly name: string
  readonly token: number
}

/** A call that is refused unless the lease is still held. */
export interface FencedOptions extends CallOptions {
  /** Without effect and `REJECTED` when the lease has a newer token. */
  readonly fence?: LeaseFence
}

/** An operation as it is stored, with the digest that was stored beside its value. */
export interface StoredOperation {
  /** A value that cannot be read is empty. */
  readonly operation: Operation
  /** Another one than `digestOf` finds shows damage. -1: it is gone. */
  readonly digest: number
}

/** Something that reads or comparisons go by, such as an index, and that has lost a part of itself. */
export interface DamagedPart {
  /** As the engine calls it: a key of the server, a table, an object. */
  readonly name: string
  /** Absent when it is about more than one key. */
  readonly key?: string
}

/** Where a schema stands among the numbered steps that this release knows. */
export interface SchemaState {
  /** Steps that were applied; 0: there is no schema yet. */
  readonly version: number
  /** What each step does, from the first on. */
  readonly migrations: readonly string[]
}

/** What the engine's settings promise for an acknowledged write, as read back at connect. */
export interface Durability {
  /** True when an acknowledged write survives a crash of the process and of the machine. */
  readonly durable: boolean
  /** The settings that say so, or those that spoil it. */
  readonly reasons: readonly string[]
  /** Set while the engine has never been connected: it may turn out to be durable. */
  readonly unknown?: true
}

/**
 * A database as the strategies use it. Every method rejects with a `StorageError`; after
 * `disconnect` with `CLOSED`. Checked by `replicaBackendConformance` of `everthread/testing`.
 */
export interface ReplicaBackend extends DatabaseBackend {
  /** Known after `connect`. */
  getDurability(): Durability
  /**
   * Names the server processes that keep the data, for engines that may share them with a log: two
   * copies on one server are one. Empty while they are not known.
   */
  getServerIds?(): readonly string[]
  /**
   * Whether `apply` judges conditions. Left out by an engine that does not: conditional groups are then
   * `UNSUPPORTED` there, before anything is applied.
   */
  judgesConditions?(): boolean
  /**
   * Merges a group atomically: all of it or nothing. Repeating it is harmless. With `decide` the
   * operations are judged in order and one refusal withholds the group. Concurrent calls share a
   * transaction, but never an outcome.
   */
  apply(operations: readonly Operation[], options?: ApplyOptions): Promise<ApplyResult>
  readRegister(key: string, options?: CallOptions): Promise<KeyRead>
  /**
   * The same for 1 to 1000 keys in one call; each key as of one moment, not all as of the same. An engine
   * that leaves it out is asked for one key after another, 16 at once.
   */
  readRegisters?(keys: readonly string[], options?: CallOptions): Promise<KeyReads>
  /** Keyset paging: the cost grows with the page, not with the list. */
  readItems(query: ItemQuery, options?: CallOptions): Promise<ItemPage>
  /** The items of these ids that are there, removed ones too, in any order. */
  readItemsById(key: string, ids: readonly string[], options?: CallOptions): Promise<ItemPage>
  countItems(key: string, options?: CallOptions): Promise<CountRead>
  listKeys(query: KeyQuery, options?: CallOptions): Promise<KeyPage>
  listLatest(query: LatestQuery, options?: CallOptions): Promise<LatestPage>
  /**
   * Everything that was applied before the call is found. `UNSUPPORTED` where there is no index, and
   * `UNAVAILABLE` while it is being built. Left out by an engine that has none.
   */
  search?(query: SearchQuery, options?: CallOptions): Promise<FoundPage>
  /** Without a round trip. Left out by an engine without `search`. */
  getSearch?(): SearchState
  /** Identity, hints, head and this writer's cursor, in one round trip. */
  readState(writer: string, options?: CallOptions): Promise<ReplicaState>
  /** Identity and hints alone: asked for with every read that is to be complete, so it must be cheap. */
  readHints(options?: CallOptions): Promise<HintList>
  /** Removes each hint whose count is still the same. */
  removeHints(hints: readonly Hint[], options?: FencedOptions): Promise<void>
  /** Notes the identity of the other database: both are known to hold the same. */
  trust(identity: string, options?: FencedOptions): Promise<void>
  /**
   * Work that one process should do: undefined while another one holds the lease. By the server's
   * clock. A holder that is slow or paused may be overtaken without knowing: what must not happen
   * then is fenced with the token. An engine that cannot keep leases leaves this out; the work is
   * then done by every process, which is right but wasteful.
   */
  lease?(request: LeaseRequest, options?: CallOptions): Promise<Lease | undefined>
  /** The range in this many buckets of equal time; computed inside the database. */
  digest(
    range: StampRange,
    buckets: number,
    options?: CallOptions,
  ): Promise<readonly BucketDigest[]>
  /** Reads which steps the schema has; works without `connect`, and changes nothing. */
  getSchema?(): Promise<SchemaState>
  /** Brings the schema up to date; works without `connect`. */
  migrate?(): Promise<void>
  /**
   * Takes what is gone out of where the engine may keep it a while longer: its log, free space, files
   * that it writes now and then. Resolves with what is out of its reach, in words. Repeating it is
   * harmless. An engine without it keeps such things for as long as it will.
   */
  purge?(options?: CallOptions): Promise<readonly string[]>
  /**
   * Every register, item and tombstone in the range as the operations that make it. Rejects with `CORRUPT`
   * at a value that cannot be read.
   */
  scan(range: StampRange, options?: CallOptions): AsyncIterable<Operation>
  /** As `scan`, with the stored digests. Left out by an engine that stores none. */
  scanStored?(range: StampRange, options?: CallOptions): AsyncIterable<StoredOperation>
  /**
   * Writes values and digests over those that stand with the same stamps, which a merge would leave
   * as they are. What has other stamps by now, or is gone, is left alone. Returns how many were
   * written. Left out by an engine that stores no digests.
   */
  repair?(operations: readonly Operation[], options?: CallOptions): Promise<number>
  /**
   * Whether all that reads and comparisons go by is there. Reads no values, so that it costs as much as
   * there are keys. `timeoutMs` is the limit of each step. Left out by an engine that has only rows.
   */
  checkParts?(options?: CallOptions): AsyncIterable<DamagedPart>
  /**
   * Makes it anew from the rows, and gives the database a new identity before: rows that were lost too are
   * missing then, and it is not complete on its own until they have been copied from the other database.
   * Repeating it is harmless. Left out by an engine without `checkParts`. `timeoutMs` is the limit of each step.
   */
  mendParts?(options?: CallOptions): Promise<void>
}
