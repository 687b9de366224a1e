import type {
  CallOptions,
  ItemPage,
  ItemQuery,
  ReplicaBackend,
} from '../../backend/replica-backend.ts'
import type { Operation } from '../../core/operation.ts'
import type { StoreContext } from '../context.ts'
import type { Place } from '../place.ts'

/**
 * One place during one read. What is pending for it is noted *before* it is asked: whatever moves
 * data is read at its source before its destination, so an entry is seen in at least one of them.
 */
export class Source {
  readonly place: Place
  readonly #context: StoreContext
  readonly #timeoutMs: number

  constructor(context: StoreContext, place: Place, timeoutMs: number) {
    this.#context = context
    this.place = place
    this.#timeoutMs = timeoutMs
  }

  async pending(key: string): Promise<readonly Operation[]> {
    return await this.#context.log.pending(this.place.name, key)
  }

  async pendingKeys(): Promise<Set<string>> {
    return await this.#context.log.pendingKeys(this.place.name)
  }

  async readItems(query: ItemQuery): Promise<ItemPage> {
    return await this.call('readItems', (backend, options) => backend.readItems(query, options))
  }

  async readItemsById(key: string, ids: readonly string[]): Promise<ItemPage> {
    return await this.call('readItemsById', (backend, options) =>
      backend.readItemsById(key, ids, options),
    )
  }

  /** Any read of the engine; notes the identity that comes with the answer. */
  async call<T extends { readonly identity: string }>(
    operation: string,
    run: (backend: ReplicaBackend, options: CallOptions) => Promise<T>,
  ): Promise<T> {
    const { env, monitor } = this.#context
    const startedAt = env.monotonic()
    const result = await this.place.call(operation, this.#timeoutMs, run)
    monitor.sawIdentity(this.place.name, result.identity, startedAt)
    return result
  }
}
