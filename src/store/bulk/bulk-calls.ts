import { itemValue, type Item } from '../../core/merge.ts'
import { decodeJson, isJson } from '../../core/json.ts'
import {
  checkArray,
  checkText,
  GROUP_OPERATIONS_MAX,
  KEY_BYTES_MAX,
  PAGE_ITEMS_MAX,
} from '../../core/limits.ts'
import { invalid } from '../../core/errors.ts'
import { boolean, byDefault, integer } from '../../core/option-kinds.ts'
import { resolve, type OptionTable } from '../../core/options.ts'
import { mapLimited } from '../../core/semaphore.ts'
import { slicesOf } from '../../core/slices-of.ts'
import { stampMs } from '../../core/stamp.ts'
import type { ItemsQuery, ItemsRead, ReadPort } from '../../strategy/read/read-port.ts'
import type { WritePort } from '../../strategy/write/write-port.ts'
import { checkedItemsQuery, checkedKeysQuery, checkIds, checkKey } from '../check-arguments.ts'
import { isOwnKey } from '../expiry/expiry-keys.ts'
import { EXPIRES_AT_MAX } from '../expiry/expiring-text.ts'
import { decodeItems } from '../rescue.ts'
import type { StoreCore } from '../store-core.ts'
import type { Values } from '../values.ts'
import type {
  CountOptions,
  DecodedItem,
  DecodedItems,
  DeletedMany,
  DeletePrefixOptions,
  EntriesPage,
  EntriesQuery,
  KeyValue,
  SetOptions,
} from './bulk-types.ts'

/** Lists that one call reads at once. */
const LISTS_AT_ONCE = 16
/** Keys that are removed as one group. */
const DELETED_AT_ONCE: number = GROUP_OPERATIONS_MAX / 2

const DELETE_PREFIX: OptionTable<DeletePrefixOptions, 'maxKeys'> = {
  maxKeys: byDefault(100_000, integer(1, Number.MAX_SAFE_INTEGER)),
}
export const SET_VALUE: OptionTable<SetOptions> = {
  expiresAt: integer(0, EXPIRES_AT_MAX),
}
export const COUNT: OptionTable<CountOptions, 'mayExpire'> = {
  mayExpire: byDefault(true, boolean()),
}

/** What the calls about many keys and items work with. */
export interface BulkParts {
  readonly core: StoreCore
  readonly read: ReadPort
  readonly write: WritePort
  readonly values: Values
}

/** Many keys, lists or items in one call: what `StrategicStorageManager` makes of those. */
export class BulkCalls {
  readonly #parts: BulkParts

  constructor(parts: BulkParts) {
    this.#parts = parts
  }

  async readMany(queries: readonly ItemsQuery[]): Promise<readonly ItemsRead[]> {
    checkArray('queries', queries)
    if (queries.length > PAGE_ITEMS_MAX) {
      throw invalid(`queries must be at most ${PAGE_ITEMS_MAX}, got ${queries.length}`)
    }
    const checked = queries.map((query) => checkedItemsQuery(query))
    const { core, read } = this.#parts
    return await core.run(() =>
      mapLimited(checked, LISTS_AT_ONCE, (query) => read.readItems(core.context, query)),
    )
  }

  async entries<T>(given: EntriesQuery): Promise<EntriesPage<T>> {
    const query = checkedKeysQuery(given)
    const { core, read, values } = this.#parts
    const entries: KeyValue<T>[] = []
    let { after, limit } = query
    let complete = true
    for (;;) {
      const next = { ...query, limit, ...(after !== undefined && { after }) }
      const page = await core.run(() => read.listKeys(core.context, next))
      const found = await values.readMany<T>(read, page.keys)
      for (const key of page.keys) {
        if (found.values.has(key)) entries.push({ key, value: found.values.get(key)! })
      }
      complete &&= page.complete && found.complete
      const isCut = entries.length > query.limit
      if (page.done || entries.length >= query.limit) {
        return { entries: entries.slice(0, query.limit), done: page.done && !isCut, complete }
      }
      after = page.keys.at(-1)
      // Keys that have nothing but a list may be many: they are gone through by ever more at once.
      limit =
        found.values.size === 0 ? Math.min(2 * limit, PAGE_ITEMS_MAX) : query.limit - entries.length
    }
  }

  async getItems<T>(given: ItemsQuery): Promise<DecodedItems<T>> {
    const query = checkedItemsQuery(given)
    const { core, read } = this.#parts
    return await core.run(async () => {
      const { items, done, complete } = await read.readItems(core.context, query)
      return { items: await this.#decode<T>(query.key, items), done, complete }
    })
  }

  async getItemsById<T>(key: string, ids: readonly string[]): Promise<DecodedItems<T>> {
    checkKey(key)
    checkIds(ids)
    const { core, read } = this.#parts
    return await core.run(async () => {
      const { items, complete } = await read.readItemsById(core.context, key, ids)
      const visible = items.filter((item) => itemValue(item) !== undefined)
      return { items: await this.#decode<T>(key, visible), done: true, complete }
    })
  }

  async deleteMany(keys: readonly string[]): Promise<DeletedMany> {
    checkArray('keys', keys)
    for (const key of keys) checkKey(key)
    const unique = [...new Set(keys)]
    for (const group of slicesOf(unique, DELETED_AT_ONCE)) await this.#delete(group)
    return { deleted: unique.length, done: true }
  }

  async deletePrefix(prefix: string, options?: DeletePrefixOptions): Promise<DeletedMany> {
    checkText('prefix', prefix, KEY_BYTES_MAX)
    if (isOwnKey(prefix)) throw invalid('prefix must not be that of the keys of the store itself')
    const { maxKeys } = resolve('', options, DELETE_PREFIX)
    const { core, read } = this.#parts
    let deleted = 0
    let after: string | undefined
    let complete = true
    while (deleted < maxKeys) {
      const limit = Math.min(DELETED_AT_ONCE, maxKeys - deleted)
      const query = { prefix, limit, ...(after !== undefined && { after }) }
      const page = await core.run(() => read.listKeys(core.context, query))
      complete &&= page.complete
      if (page.keys.length > 0) await this.#delete(page.keys)
      deleted += page.keys.length
      after = page.keys.at(-1)
      if (page.done || after === undefined) return { deleted, done: complete }
    }
    return { deleted, done: false }
  }

  async #delete(keys: readonly string[]): Promise<void> {
    const { core, write, values } = this.#parts
    const { clock } = core.context
    await values.write(
      write,
      keys.map((key) => ({ kind: 'delete', key, stamp: clock.tick(key) })),
    )
  }

  async #decode<T>(key: string, items: readonly Item[]): Promise<DecodedItem<T>[]> {
    const decode = (item: Item): DecodedItem<T> => ({
      id: item.id,
      value: decodeJson<T>(itemValue(item)!),
      position: item.position,
      savedAt: stampMs(item.position),
    })
    return await decodeItems(this.#parts.core.context, key, items, decode, isJson)
  }
}
