import type {
  CallOptions,
  CountRead,
  ItemPage,
  ItemQuery,
  KeyPage,
  KeyQuery,
  KeyRead,
  KeyReads,
  LatestPage,
  LatestQuery,
  ReplicaBackend,
  FoundPage,
  SearchQuery,
} from '../../backend/replica-backend.ts'
import { readRegistersOf } from '../../backend/read-registers.ts'
import type { Operation } from '../../core/operation.ts'
import type { StoreContext } from '../context.ts'
import type { Place } from '../place.ts'
import {
  checkCount,
  checkFound,
  checkItems,
  checkKeys,
  checkLatest,
  checkRegister,
  checkRegisters,
} from './check-answer.ts'

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

  /** Those of `pending` that are about these ids, and its deletes. */
  async pendingOf(key: string, ids: ReadonlySet<string>): Promise<readonly Operation[]> {
    return await this.#context.log.pendingOf(this.place.name, key, ids)
  }

  /** Those of the keys that `pending` may have something for. */
  async pendingAmong(keys: readonly string[]): Promise<readonly string[]> {
    return await this.#context.log.pendingAmong(this.place.name, keys)
  }

  async pendingKeys(): Promise<Set<string>> {
    return await this.#context.log.pendingKeys(this.place.name)
  }

  async readItems(query: ItemQuery): Promise<ItemPage> {
    const page = await this.#call('readItems', (backend, options) =>
      backend.readItems(query, options),
    )
    return checkItems(this.place.name, query.key, page)
  }

  async readItemsById(key: string, ids: readonly string[]): Promise<ItemPage> {
    const page = await this.#call('readItemsById', (backend, options) =>
      backend.readItemsById(key, ids, options),
    )
    return checkItems(this.place.name, key, page)
  }

  async readRegister(key: string): Promise<KeyRead> {
    const read = await this.#call('readRegister', (backend, options) =>
      backend.readRegister(key, options),
    )
    return checkRegister(this.place.name, key, read)
  }

  async readRegisters(keys: readonly string[]): Promise<KeyReads['reads']> {
    const { reads } = await this.#call('readRegisters', (backend, options) =>
      readRegistersOf(backend, keys, options),
    )
    return checkRegisters(this.place.name, keys, reads)
  }

  async countItems(key: string): Promise<CountRead> {
    const read = await this.#call('countItems', (backend, options) =>
      backend.countItems(key, options),
    )
    checkCount(this.place.name, key, read.count)
    return read
  }

  async listKeys(query: KeyQuery): Promise<KeyPage> {
    const page = await this.#call('listKeys', (backend, options) =>
      backend.listKeys(query, options),
    )
    checkKeys(this.place.name, query.prefix, page.keys)
    return page
  }

  async listLatest(query: LatestQuery): Promise<LatestPage> {
    const page = await this.#call('listLatest', (backend, options) =>
      backend.listLatest(query, options),
    )
    checkLatest(this.place.name, query.prefix, page.keys)
    return page
  }

  async search(query: SearchQuery): Promise<FoundPage> {
    const page = await this.#call('search', (backend, options) => backend.search!(query, options))
    return checkFound(this.place.name, page)
  }

  /** Any read of the engine; notes the identity that comes with the answer. */
  async #call<T extends { readonly identity: string }>(
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
