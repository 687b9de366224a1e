import { compareText } from '../../core/text.ts'
import type { BucketDigest, StampRange } from '../../core/digest.ts'
import { nodeEnv } from '../../core/node-env.ts'
import type { Env } from '../../core/env.ts'
import { StorageError } from '../../core/errors.ts'
import {
  applyOperation,
  emptyState,
  headOf,
  operationsOf,
  visibleItems,
  type KeyState,
} from '../../core/merge.ts'
import type { Operation } from '../../core/operation.ts'
import { maxStamp, type Stamp } from '../../core/stamp.ts'
import { checkSignal } from '../check-signal.ts'
import {
  checkFence,
  checkLease,
  grantLease,
  isUnused,
  leaseOf,
  type StoredLease,
} from '../lease.ts'
import { joinReads } from '../read-registers.ts'
import { ReplicaBase } from '../replica-base.ts'
import type {
  ApplyOptions,
  ApplyResult,
  CallOptions,
  CountRead,
  Durability,
  FencedOptions,
  Hint,
  HintList,
  ItemPage,
  ItemQuery,
  KeyPage,
  KeyQuery,
  KeyRead,
  KeyReads,
  LatestKey,
  LatestPage,
  LatestQuery,
  Lease,
  LeaseRequest,
  ReplicaBackend,
  ReplicaState,
  FoundPage,
  SearchQuery,
  SearchState,
  StoredOperation,
} from '../replica-backend.ts'
import {
  compareLatest,
  digestOperations,
  isInRange,
  isListed,
  isRefused,
  judgeCall,
  latestOf,
  pageItems,
} from '../key-states.ts'
import { searchStates } from '../search/search-states.ts'
import { withDigest } from '../stored-operations.ts'

/**
 * A database in this process's memory: the plainest engine, and the one that the others are
 * compared with. Nothing survives the process, and `getDurability` says so.
 */
export class MemoryBackend extends ReplicaBase implements ReplicaBackend {
  readonly #keys = new Map<string, KeyState>()
  readonly #hints = new Map<string, number>()
  readonly #cursors = new Map<string, number>()
  readonly #leases = new Map<string, StoredLease>()
  /** One for all writers: a hint that is raised again after its removal has another count. */
  #hintCount = 0
  #identity: string
  #trusted: string | undefined
  #connected = false

  constructor(env: Env = nodeEnv()) {
    super(env)
    this.#identity = Buffer.from(env.randomBytes(16)).toString('hex')
  }

  getBackendType(): string {
    return 'in-memory'
  }

  getDurability(): Durability {
    return { durable: false, reasons: ['kept in the memory of one process'] }
  }

  judgesConditions(): boolean {
    return true
  }

  async connect(): Promise<void> {
    this.#connected = true
  }

  async disconnect(): Promise<void> {
    this.#connected = false
  }

  isConnected(): boolean {
    return this.#connected
  }

  async apply(
    operations: readonly Operation[],
    { decide = false, unique = false, conditions = [], hint, cursor, signal }: ApplyOptions = {},
  ): Promise<ApplyResult> {
    this.#check({ signal })
    const call = { operations, decide, unique, conditions }
    const judged = judgeCall(call, (key) => this.#keys.get(key))
    const { applied } = judged
    if (!isRefused(judged)) {
      operations.forEach((operation, i) => {
        if (applied[i]!.outcome === 'applied') applyOperation(this.#state(operation.key), operation)
      })
    }
    if (hint !== undefined) this.#hints.set(hint, ++this.#hintCount)
    if (cursor !== undefined) {
      const lsn = Math.max(cursor.lsn, this.#cursors.get(cursor.writer) ?? 0)
      this.#cursors.set(cursor.writer, lsn)
    }
    return { identity: this.#identity, ...judged }
  }

  async readRegister(key: string, options?: CallOptions): Promise<KeyRead> {
    this.#check(options)
    const state = this.#keys.get(key)
    return {
      ...this.#mark(state),
      ...(state?.register !== undefined && { register: state.register }),
    }
  }

  async readRegisters(keys: readonly string[], options?: CallOptions): Promise<KeyReads> {
    return joinReads(await Promise.all(keys.map((key) => this.readRegister(key, options))))
  }

  async readItems(query: ItemQuery, options?: CallOptions): Promise<ItemPage> {
    this.#check(options)
    const state = this.#keys.get(query.key)
    return { ...this.#mark(state), ...pageItems(state, query) }
  }

  async readItemsById(
    key: string,
    ids: readonly string[],
    options?: CallOptions,
  ): Promise<ItemPage> {
    this.#check(options)
    const state = this.#keys.get(key)
    const items = ids.map((id) => state?.items.get(id)).filter((item) => item !== undefined)
    return { ...this.#mark(state), items, done: true }
  }

  async countItems(key: string, options?: CallOptions): Promise<CountRead> {
    this.#check(options)
    const state = this.#keys.get(key)
    return { ...this.#mark(state), count: state === undefined ? 0 : visibleItems(state).length }
  }

  async listKeys({ prefix, after, limit }: KeyQuery, options?: CallOptions): Promise<KeyPage> {
    this.#check(options)
    const keys: string[] = []
    for (const [key, state] of this.#keys) {
      if (!key.startsWith(prefix)) continue
      if (after !== undefined && compareText(key, after) <= 0) continue
      if (isListed(state)) keys.push(key)
    }
    keys.sort(compareText)
    return { identity: this.#identity, keys: keys.slice(0, limit), done: keys.length <= limit }
  }

  async listLatest(
    { prefix, before, limit }: LatestQuery,
    options?: CallOptions,
  ): Promise<LatestPage> {
    this.#check(options)
    const keys: LatestKey[] = []
    for (const [key, state] of this.#keys) {
      if (!key.startsWith(prefix)) continue
      const latest = latestOf(state)
      if (latest === undefined) continue
      if (before === undefined || compareLatest({ key, latest }, before) > 0) {
        keys.push({ key, latest })
      }
    }
    keys.sort(compareLatest)
    return { identity: this.#identity, keys: keys.slice(0, limit), done: keys.length <= limit }
  }

  async search(query: SearchQuery, options?: CallOptions): Promise<FoundPage> {
    this.#check(options)
    return { identity: this.#identity, ...searchStates(this.#keys, query) }
  }

  getSearch(): SearchState {
    return { state: 'ready' }
  }

  async readState(writer: string, options?: CallOptions): Promise<ReplicaState> {
    this.#check(options)
    let head: Stamp | undefined
    for (const state of this.#keys.values()) {
      head = maxStamp(head, maxStamp(state.deletedThrough, headOf(state)))
    }
    const cursor = this.#cursors.get(writer)
    return {
      ...this.#hintList(),
      ...(this.#trusted !== undefined && { trusted: this.#trusted }),
      ...(head !== undefined && { head }),
      ...(cursor !== undefined && { cursor }),
    }
  }

  async readHints(options?: CallOptions): Promise<HintList> {
    this.#check(options)
    return this.#hintList()
  }

  #hintList(): HintList {
    return {
      identity: this.#identity,
      hints: [...this.#hints].map(([name, count]) => ({ writer: name, count })),
      hintVersion: this.#hintCount,
    }
  }

  async removeHints(hints: readonly Hint[], options?: FencedOptions): Promise<void> {
    this.#check(options)
    checkFence(options?.fence, (name) => this.#leases.get(name)?.token)
    for (const { writer, count } of hints) {
      if (this.#hints.get(writer) === count) this.#hints.delete(writer)
    }
  }

  async trust(identity: string, options?: FencedOptions): Promise<void> {
    this.#check(options)
    checkFence(options?.fence, (name) => this.#leases.get(name)?.token)
    this.#trusted = identity
  }

  async lease(request: LeaseRequest, options?: CallOptions): Promise<Lease | undefined> {
    checkLease(request)
    this.#check(options)
    const granted = grantLease(this.#leases.get(request.name), request, this.env.now())
    if (granted === undefined) return undefined
    this.#leases.set(request.name, granted)
    if (request.token === undefined) this.#sweepLeases()
    return leaseOf(granted)
  }

  async digest(
    range: StampRange,
    buckets: number,
    options?: CallOptions,
  ): Promise<readonly BucketDigest[]> {
    this.#check(options)
    return digestOperations(this.#operationsIn(range), range, buckets)
  }

  async purge(): Promise<readonly string[]> {
    return []
  }

  async *scanStored(range: StampRange, options?: CallOptions): AsyncIterable<StoredOperation> {
    this.#check(options)
    yield* this.#operationsIn(range).map(withDigest)
  }

  /** Forgets everything, as a server does that lost its disk. For tests. */
  wipe(): void {
    this.#keys.clear()
    this.#hints.clear()
    this.#cursors.clear()
    this.#leases.clear()
    this.#trusted = undefined
    this.#identity = Buffer.from(this.env.randomBytes(16)).toString('hex')
  }

  #sweepLeases(): void {
    for (const [name, lease] of this.#leases) {
      if (isUnused(name, lease, this.env.now())) this.#leases.delete(name)
    }
  }

  #operationsIn(range: StampRange): Operation[] {
    return [...this.#keys]
      .flatMap(([key, state]) => operationsOf(key, state))
      .filter((operation) => isInRange(operation, range))
  }

  #state(key: string): KeyState {
    let state = this.#keys.get(key)
    if (state === undefined) this.#keys.set(key, (state = emptyState()))
    return state
  }

  #mark(state: KeyState | undefined): { identity: string; deletedThrough?: Stamp } {
    return {
      identity: this.#identity,
      ...(state?.deletedThrough !== undefined && { deletedThrough: state.deletedThrough }),
    }
  }

  #check({ signal }: { readonly signal?: AbortSignal | undefined } = {}): void {
    if (!this.#connected) throw new StorageError('CLOSED', 'in-memory database is not connected')
    checkSignal(signal)
  }
}
