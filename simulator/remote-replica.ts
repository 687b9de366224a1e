import type { MemoryBackend } from '../src/backend/memory/memory-backend.ts'
import { ReplicaBase } from '../src/backend/replica-base.ts'
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
  LatestPage,
  LatestQuery,
  Lease,
  LeaseRequest,
  ReplicaBackend,
  ReplicaState,
} from '../src/backend/replica-backend.ts'
import type { BucketDigest, StampRange } from '../src/core/digest.ts'
import { StorageError } from '../src/core/errors.ts'
import type { Operation } from '../src/core/operation.ts'
import { remoteCall, type Caller, type CallObserver } from './remote-call.ts'
import type { SimulatedDatabase } from './simulated-database.ts'
import type { Life } from './simulated-process.ts'

const TIMEOUT_MS = 10_000

/** A simulated database as one life of a process sees it: through a network, with deadlines. */
export class RemoteReplica extends ReplicaBase implements ReplicaBackend {
  readonly #database: SimulatedDatabase
  readonly #caller: Caller
  #connected = false

  constructor(
    database: SimulatedDatabase,
    life: Life,
    from: number,
    observe: CallObserver | undefined,
  ) {
    super(life.env)
    this.#database = database
    this.#caller = { life, from, observe }
  }

  getBackendType(): string {
    return 'simulated'
  }

  /** The simulated server keeps what it applied. */
  getDurability(): Durability {
    return { durable: true, reasons: ['simulated'] }
  }

  async connect(): Promise<void> {
    await this.#call('connect', [], {}, async () => {})
    this.#connected = true
  }

  async disconnect(): Promise<void> {
    this.#connected = false
  }

  isConnected(): boolean {
    return this.#connected
  }

  async apply(operations: readonly Operation[], options: ApplyOptions = {}): Promise<ApplyResult> {
    const { signal: _signal, timeoutMs: _timeoutMs, deadline: _deadline, ...rest } = options
    return await this.#call('apply', [operations, rest], options, (backend) =>
      backend.apply(operations, rest),
    )
  }

  async readRegister(key: string, options?: CallOptions): Promise<KeyRead> {
    return await this.#call('readRegister', [key], options, (backend) => backend.readRegister(key))
  }

  async readItems(query: ItemQuery, options?: CallOptions): Promise<ItemPage> {
    return await this.#call('readItems', [query], options, (backend) => backend.readItems(query))
  }

  async readItemsById(
    key: string,
    ids: readonly string[],
    options?: CallOptions,
  ): Promise<ItemPage> {
    return await this.#call('readItemsById', [key, ids], options, (backend) =>
      backend.readItemsById(key, ids),
    )
  }

  async countItems(key: string, options?: CallOptions): Promise<CountRead> {
    return await this.#call('countItems', [key], options, (backend) => backend.countItems(key))
  }

  async listKeys(query: KeyQuery, options?: CallOptions): Promise<KeyPage> {
    return await this.#call('listKeys', [query], options, (backend) => backend.listKeys(query))
  }

  async listLatest(query: LatestQuery, options?: CallOptions): Promise<LatestPage> {
    return await this.#call('listLatest', [query], options, (backend) => backend.listLatest(query))
  }

  async readState(writer: string, options?: CallOptions): Promise<ReplicaState> {
    return await this.#call('readState', [writer], options, (backend) => backend.readState(writer))
  }

  async readHints(options?: CallOptions): Promise<HintList> {
    return await this.#call('readHints', [], options, (backend) => backend.readHints())
  }

  async removeHints(hints: readonly Hint[], options: FencedOptions = {}): Promise<void> {
    const fence = fenceOf(options)
    await this.#call('removeHints', [hints], options, (backend) =>
      backend.removeHints(hints, fence),
    )
  }

  async trust(identity: string, options: FencedOptions = {}): Promise<void> {
    const fence = fenceOf(options)
    await this.#call('trust', [identity], options, (backend) => backend.trust(identity, fence))
  }

  async lease(request: LeaseRequest, options?: CallOptions): Promise<Lease | undefined> {
    return await this.#call('lease', [request], options, (backend) => backend.lease(request))
  }

  async digest(
    range: StampRange,
    buckets: number,
    options?: CallOptions,
  ): Promise<readonly BucketDigest[]> {
    return await this.#call('digest', [range], options, (backend) => backend.digest(range, buckets))
  }

  async *scan(range: StampRange, options?: CallOptions): AsyncIterable<Operation> {
    yield* await this.#call('scan', [range], options, async (backend) => {
      const operations: Operation[] = []
      for await (const operation of backend.scan(range)) operations.push(operation)
      return operations
    })
  }

  async #call<T>(
    name: string,
    detail: readonly unknown[],
    { timeoutMs = TIMEOUT_MS }: CallOptions = {},
    run: (backend: MemoryBackend) => Promise<T>,
  ): Promise<T> {
    if (!this.#connected && name !== 'connect') {
      throw new StorageError('CLOSED', 'the simulated database is not connected')
    }
    return await remoteCall(this.#database, this.#caller, { name, detail, timeoutMs }, run)
  }
}

/** What reaches the server of the options. */
function fenceOf({ fence }: FencedOptions): FencedOptions {
  return fence === undefined ? {} : { fence }
}
