import type { BucketDigest, StampRange } from '../core/digest.ts'
import type { Operation } from '../core/operation.ts'
import type { DatabaseBackend } from './database-backend.ts'
import { readRegistersOf } from './read-registers.ts'
import { ReplicaBase } from './replica-base.ts'
import type {
  ApplyOptions,
  ApplyResult,
  CallOptions,
  CountRead,
  DamagedPart,
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
} from './replica-backend.ts'
import { noSearch, searchOf } from './search/search-state.ts'
import { storedOperations } from './stored-operations.ts'

type Port = Required<ReplicaBackend>
type Rest =
  'getDurability' | 'getServerIds' | 'judgesConditions' | 'getSchema' | 'getSearch' | 'migrate'
type Paged = 'scan' | 'scanStored' | 'checkParts'

/** A call of the port that has one answer and takes its options last. */
export type CallName = Exclude<keyof Port, keyof DatabaseBackend | Rest | Paged>
/** What a call is given before its options. */
export type Given<Name extends CallName> =
  Required<Parameters<Port[Name]>> extends readonly [...infer Before, unknown] ? Before : never
export type Answer<Name extends CallName> = Awaited<ReturnType<Port[Name]>>

/** What a call comes to at an engine that leaves it out; the other calls may not be left out. */
const LEFT_OUT: { readonly [Name in CallName]?: Answer<Name> } = {
  // Every process may do the work.
  lease: { token: 0 },
  repair: 0,
  mendParts: undefined,
  purge: [],
}

/** A replica that hands its calls on to another one; what differs is overridden. */
export abstract class ForwardingBackend extends ReplicaBase implements ReplicaBackend {
  abstract getDurability(): Durability

  judgesConditions(): boolean {
    return this.inner().judgesConditions?.() === true
  }

  /** @internal Throws a `StorageError` while there is none. */
  protected abstract inner(): ReplicaBackend

  /** @internal All calls with one answer go through this. */
  protected async forward<Name extends CallName>(
    name: Name,
    given: Given<Name>,
    options: CallOptions | undefined,
  ): Promise<Answer<Name>> {
    return await callOf(this.inner(), name, given, options)
  }

  apply(operations: readonly Operation[], options?: ApplyOptions): Promise<ApplyResult> {
    return this.forward('apply', [operations], options)
  }

  readRegister(key: string, options?: CallOptions): Promise<KeyRead> {
    return this.forward('readRegister', [key], options)
  }

  readRegisters(keys: readonly string[], options?: CallOptions): Promise<KeyReads> {
    return this.forward('readRegisters', [keys], options)
  }

  readItems(query: ItemQuery, options?: CallOptions): Promise<ItemPage> {
    return this.forward('readItems', [query], options)
  }

  readItemsById(key: string, ids: readonly string[], options?: CallOptions): Promise<ItemPage> {
    return this.forward('readItemsById', [key, ids], options)
  }

  countItems(key: string, options?: CallOptions): Promise<CountRead> {
    return this.forward('countItems', [key], options)
  }

  listKeys(query: KeyQuery, options?: CallOptions): Promise<KeyPage> {
    return this.forward('listKeys', [query], options)
  }

  listLatest(query: LatestQuery, options?: CallOptions): Promise<LatestPage> {
    return this.forward('listLatest', [query], options)
  }

  search(query: SearchQuery, options?: CallOptions): Promise<FoundPage> {
    return this.forward('search', [query], options)
  }

  getSearch(): SearchState {
    return searchOf(this.inner())
  }

  readState(writer: string, options?: CallOptions): Promise<ReplicaState> {
    return this.forward('readState', [writer], options)
  }

  readHints(options?: CallOptions): Promise<HintList> {
    return this.forward('readHints', [], options)
  }

  removeHints(hints: readonly Hint[], options?: FencedOptions): Promise<void> {
    return this.forward('removeHints', [hints], options)
  }

  trust(identity: string, options?: FencedOptions): Promise<void> {
    return this.forward('trust', [identity], options)
  }

  lease(request: LeaseRequest, options?: CallOptions): Promise<Lease | undefined> {
    return this.forward('lease', [request], options)
  }

  digest(
    range: StampRange,
    count: number,
    options?: CallOptions,
  ): Promise<readonly BucketDigest[]> {
    return this.forward('digest', [range, count], options)
  }

  repair(operations: readonly Operation[], options?: CallOptions): Promise<number> {
    return this.forward('repair', [operations], options)
  }

  mendParts(options?: CallOptions): Promise<void> {
    return this.forward('mendParts', [], options)
  }

  purge(options?: CallOptions): Promise<readonly string[]> {
    return this.forward('purge', [], options)
  }

  async *scanStored(range: StampRange, options?: CallOptions): AsyncGenerator<StoredOperation> {
    yield* storedOperations(this.inner(), range, options)
  }

  async *checkParts(options?: CallOptions): AsyncGenerator<DamagedPart> {
    yield* this.inner().checkParts?.(options) ?? []
  }
}

/** One call of an engine, by its name. */
export async function callOf<Name extends CallName>(
  backend: ReplicaBackend,
  name: Name,
  given: Given<Name>,
  options: CallOptions | undefined,
): Promise<Answer<Name>> {
  if (name === 'readRegisters') {
    const [keys] = given as unknown as Given<'readRegisters'>
    return (await readRegistersOf(backend, keys, options)) as Answer<Name>
  }
  const call = backend[name] as ((...all: unknown[]) => Promise<Answer<Name>>) | undefined
  if (call !== undefined) return await call.call(backend, ...given, options)
  if (name === 'search') throw noSearch(searchOf(backend))
  return LEFT_OUT[name]!
}
