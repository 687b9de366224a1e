import { allKeys, itemRange } from '../../backend/paged-reads.ts'
import type { KeyQuery } from '../../backend/replica-backend.ts'
import { decodeJson, isJson, type JsonText } from '../../core/json.ts'
import { itemValue, type Item } from '../../core/merge.ts'
import type { ItemsQuery, ItemsRead, KeysRead } from '../../strategy/read/read-port.ts'
import type { ExpiryPass, ExpiryReport } from '../expiry/expiry-pass.ts'
import type { KeyLease, KeyLeases } from '../key-lease.ts'
import type { BulkCalls } from './bulk-calls.ts'
import type {
  DecodedItems,
  DeletedMany,
  DeletePrefixOptions,
  EntriesPage,
  EntriesQuery,
} from './bulk-types.ts'

/** What the calls of `BulkStore` are made with. */
export interface BulkStoreParts {
  readonly calls: BulkCalls
  readonly expiry: ExpiryPass
  readonly leases: KeyLeases
  /** Lists cannot be read. */
  readonly valuesOnly: boolean
}

/** Calls of a store that are made of others, or are about many keys, lists or items at once, and its leases. */
export abstract class BulkStore {
  /** @internal */
  protected abstract get bulk(): BulkStoreParts
  abstract get<T>(key: string): Promise<T | undefined>
  abstract readItems(query: ItemsQuery): Promise<ItemsRead>
  abstract listKeys(query: KeyQuery): Promise<KeysRead>
  abstract decodeItems<T>(
    key: string,
    items: readonly Item[],
    decode: (item: Item) => T,
    isIntact: (value: JsonText) => boolean,
  ): Promise<T[]>

  /** True when the key has a value or an item. */
  async exists(key: string): Promise<boolean> {
    if ((await this.get(key)) !== undefined) return true
    if (this.bulk.valuesOnly) return false
    return (await this.readItems({ key, limit: 1, order: 'newest' })).items.length > 0
  }

  /** All keys with this prefix, sorted by code point. Every character is literal. */
  async list(prefix: string): Promise<readonly string[]> {
    return await allKeys(prefix, (query) => this.listKeys(query))
  }

  /** Items in list order; `start` is 0-based, negative counts from the end. Costs `start + count`. */
  async getRange<T>(key: string, start: number, count: number): Promise<readonly T[]> {
    const items = await itemRange(key, start, count, (query) => this.readItems(query))
    const decode = (item: Item): T => decodeJson<T>(itemValue(item)!)
    return await this.decodeItems(key, items, decode, isJson)
  }

  /** Pages of at most 1000 lists, in the order of the queries; 16 of them are read at once. */
  async readMany(queries: readonly ItemsQuery[]): Promise<readonly ItemsRead[]> {
    return await this.bulk.calls.readMany(queries)
  }

  /** A page of keys with their values; keys that hold only a list are passed over. */
  async entries<T>(query: EntriesQuery): Promise<EntriesPage<T>> {
    return await this.bulk.calls.entries<T>(query)
  }

  /** `readItems` with the values as they were given. */
  async getItems<T>(query: ItemsQuery): Promise<DecodedItems<T>> {
    return await this.bulk.calls.getItems<T>(query)
  }

  /** The items of these ids that are there, with the values as they were given, in any order. */
  async getItemsById<T>(key: string, ids: readonly string[]): Promise<DecodedItems<T>> {
    return await this.bulk.calls.getItemsById<T>(key, ids)
  }

  /**
   * `delete` of many keys: 500 at a time all or nothing at each place. After an error some of them may be gone:
   * call it again.
   */
  async deleteMany(keys: readonly string[]): Promise<DeletedMany> {
    return await this.bulk.calls.deleteMany(keys)
  }

  /**
   * The same for all keys that begin with a prefix, in their order. Every character is literal. What is written
   * meanwhile may stay. The prefix must not be empty.
   */
  async deletePrefix(prefix: string, options?: DeletePrefixOptions): Promise<DeletedMany> {
    return await this.bulk.calls.deletePrefix(prefix, options)
  }

  /**
   * Removes what has expired an hour ago or more, in both databases. Each store does it about once an hour; call
   * it where a process does not live that long.
   *
   * @throws StorageError `UNAVAILABLE` while the clocks disagree or a database is away.
   */
  async removeExpired(): Promise<ExpiryReport> {
    return await this.bulk.expiry.run()
  }

  /**
   * A lock with a limit of time, kept by the primary: null while another holder has it, of this process too. By
   * the clock of the database's server. The token of each holder is greater than those of all before: hand it
   * on to what must not obey a holder that was overtaken.
   *
   * @param ttlMs Until it ends by itself, 1 to 600,000.
   * @throws StorageError `UNAVAILABLE` or `TIMEOUT` while the primary is out, `UNSUPPORTED` where its engine
   *   keeps no leases.
   */
  async lease(key: string, ttlMs: number): Promise<KeyLease | null> {
    return await this.bulk.leases.take(key, ttlMs)
  }
}
