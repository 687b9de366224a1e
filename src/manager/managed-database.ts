import type { BucketDigest, StampRange } from '../core/digest.ts'
import { missingKey, neededKey } from '../core/encryption/envelope.ts'
import { StorageError } from '../core/errors.ts'
import type { KeepAlive } from '../core/keep-alive.ts'
import type { Operation } from '../core/operation.ts'
import { STAMP_LIMIT } from '../core/stamp.ts'
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
  LatestPage,
  LatestQuery,
  Lease,
  LeaseRequest,
  ReplicaBackend,
  ReplicaState,
  StoredOperation,
} from '../backend/replica-backend.ts'
import { storedOperations } from '../backend/stored-operations.ts'
import type { Slot } from './slot.ts'

/**
 * The database of a `StorageManager`, there from the start. While no engine is connected each call
 * rejects with `CONNECTION` and effect `none`, after `disconnect` with `CLOSED`.
 */
export class ManagedDatabase implements ReplicaBackend {
  readonly #slot: Slot<ReplicaBackend>
  readonly #durability: () => Durability
  readonly #alive: KeepAlive

  constructor(slot: Slot<ReplicaBackend>, durability: () => Durability, alive: KeepAlive) {
    this.#slot = slot
    this.#alive = alive
    this.#durability = durability
  }

  connect(): Promise<void> {
    return this.#slot.connect()
  }

  disconnect(): Promise<void> {
    return this.#slot.disconnect()
  }

  isConnected(): boolean {
    return this.#slot.isConnected()
  }

  getBackendType(): string {
    return this.#slot.getBackendType()
  }

  getDurability(): Durability {
    return this.#durability()
  }

  getServerIds(): readonly string[] {
    return this.#slot.live?.getServerIds?.() ?? []
  }

  async apply(operations: readonly Operation[], options?: ApplyOptions): Promise<ApplyResult> {
    refuseLastStamps(operations)
    refuseEncrypted(operations)
    return await this.#call((engine) => engine.apply(operations, options))
  }

  async readRegister(key: string, options?: CallOptions): Promise<KeyRead> {
    return await this.#call((engine) => engine.readRegister(key, options))
  }

  async readItems(query: ItemQuery, options?: CallOptions): Promise<ItemPage> {
    return await this.#call((engine) => engine.readItems(query, options))
  }

  async readItemsById(
    key: string,
    ids: readonly string[],
    options?: CallOptions,
  ): Promise<ItemPage> {
    return await this.#call((engine) => engine.readItemsById(key, ids, options))
  }

  async countItems(key: string, options?: CallOptions): Promise<CountRead> {
    return await this.#call((engine) => engine.countItems(key, options))
  }

  async listKeys(query: KeyQuery, options?: CallOptions): Promise<KeyPage> {
    return await this.#call((engine) => engine.listKeys(query, options))
  }

  async listLatest(query: LatestQuery, options?: CallOptions): Promise<LatestPage> {
    return await this.#call((engine) => engine.listLatest(query, options))
  }

  async readState(writer: string, options?: CallOptions): Promise<ReplicaState> {
    return await this.#call((engine) => engine.readState(writer, options))
  }

  async readHints(options?: CallOptions): Promise<HintList> {
    return await this.#slot.current().readHints(options)
  }

  async removeHints(hints: readonly Hint[], options?: FencedOptions): Promise<void> {
    await this.#call((engine) => engine.removeHints(hints, options))
  }

  async trust(identity: string, options?: FencedOptions): Promise<void> {
    await this.#call((engine) => engine.trust(identity, options))
  }

  async lease(request: LeaseRequest, options?: CallOptions): Promise<Lease | undefined> {
    return await this.#call(async (engine) =>
      engine.lease === undefined ? { token: 0 } : await engine.lease(request, options),
    )
  }

  async digest(
    range: StampRange,
    buckets: number,
    options?: CallOptions,
  ): Promise<readonly BucketDigest[]> {
    return await this.#call((engine) => engine.digest(range, buckets, options))
  }

  async *scan(range: StampRange, options?: CallOptions): AsyncIterable<Operation> {
    yield* this.#slot.current().scan(range, options)
  }

  async *scanStored(range: StampRange, options?: CallOptions): AsyncIterable<StoredOperation> {
    yield* storedOperations(this.#slot.current(), range, options)
  }

  async repair(operations: readonly Operation[], options?: CallOptions): Promise<number> {
    refuseEncrypted(operations)
    return await this.#call(async (engine) =>
      engine.repair === undefined ? 0 : await engine.repair(operations, options),
    )
  }

  async *checkParts(options?: CallOptions): AsyncIterable<DamagedPart> {
    yield* this.#slot.current().checkParts?.(options) ?? []
  }

  async mendParts(options?: CallOptions): Promise<void> {
    await this.#slot.current().mendParts?.(options)
  }

  async purge(options?: CallOptions): Promise<readonly string[]> {
    const engine = this.#slot.current()
    if (engine.purge !== undefined) return await this.#call(() => engine.purge!(options))
    return [
      `whatever ${engine.getBackendType()} keeps of removed values: it cannot be told to purge`,
    ]
  }

  async get<T>(key: string): Promise<T | undefined> {
    return await this.#call((engine) => engine.get<T>(key))
  }

  async set<T>(key: string, value: T): Promise<void> {
    await this.#call((engine) => engine.set(key, value))
  }

  async delete(key: string): Promise<void> {
    await this.#call((engine) => engine.delete(key))
  }

  async list(prefix: string): Promise<readonly string[]> {
    return await this.#call((engine) => engine.list(prefix))
  }

  async append<T>(key: string, item: T): Promise<void> {
    await this.#call((engine) => engine.append(key, item))
  }

  async getRange<T>(key: string, start: number, count: number): Promise<readonly T[]> {
    return await this.#call((engine) => engine.getRange<T>(key, start, count))
  }

  /** An engine of the application's own may wait for nothing that keeps a process alive. */
  async #call<T>(run: (engine: ReplicaBackend) => Promise<T>): Promise<T> {
    const engine = this.#slot.current()
    this.#alive.begin()
    try {
      return await run(engine)
    } finally {
      this.#alive.end()
    }
  }
}

/**
 * Refuses what another database, or a log from elsewhere, brings with a stamp that no clock can follow:
 * once it is stored, its key could never be written again.
 */
function refuseLastStamps(operations: readonly Operation[]): void {
  const last = operations.find(({ stamp }) => stamp >= STAMP_LIMIT)
  if (last === undefined) return
  const text = `the stamp ${last.stamp} of key ${JSON.stringify(last.key)} is of no clock's time`
  throw new StorageError('REJECTED', text)
}

/**
 * Refuses what a process without keys read from an encrypted place: in another one it would pass for the
 * plain value. A database that is encrypted does that below this, so no encrypted value comes by here.
 */
function refuseEncrypted(operations: readonly Operation[]): void {
  for (const operation of operations) {
    const key = 'value' in operation ? neededKey(operation.value) : undefined
    if (key !== undefined) throw new StorageError('REJECTED', missingKey(key))
  }
}
