import { isStorageError } from '../../core/errors.ts'
import { decodeJson } from '../../core/json.ts'
import { PAGE_ITEMS_MAX } from '../../core/limits.ts'
import { itemStamp, itemValue } from '../../core/merge.ts'
import type { Stamp } from '../../core/stamp.ts'
import type { Change } from '../../store/changes/change.ts'
import type { StrategicStorageManager } from '../../store/strategic-storage-manager.ts'
import { keyPart } from '../adapter-parts.ts'

/** How often a change is tried while others change the same record. */
const TRIES_MAX = 24

/** A record with its place, and the stamp of its latest change. */
export interface FoundRecord<T> {
  readonly key: string
  readonly id: string
  readonly record: T
  readonly stamp: Stamp
}

/**
 * Records that are found by their id and by their thread: one list a thread, and for each id a value that
 * names the thread. All changes are under conditions: of two at once neither is lost.
 */
export class ThreadRecords<T extends object> {
  readonly #store: StrategicStorageManager
  readonly #prefix: string

  constructor(store: StrategicStorageManager, prefix: string) {
    this.#store = store
    this.#prefix = prefix
  }

  /** Creates it, with what else is to be written then, or gives what stands. */
  async create(
    recordId: string,
    threadId: string,
    record: T,
    beside: readonly Change[] = [],
  ): Promise<T> {
    const pointer = this.#pointer(recordId)
    const key = this.#list(threadId)
    const set: Change = { kind: 'set', key: pointer, value: threadId }
    const append: Change = { kind: 'append', key, id: keyPart(recordId), value: record }
    for (let i = 1; ; i++) {
      const found = await this.find(recordId)
      if (found !== undefined) return found.record
      try {
        await this.#store.write([set, append, ...beside], { if: [{ key: pointer, absent: true }] })
        return record
      } catch (error) {
        if (!isLost(error) || i === TRIES_MAX) throw error
      }
    }
  }

  async find(recordId: string): Promise<FoundRecord<T> | undefined> {
    const threadId = await this.#store.get<string>(this.#pointer(recordId, 'id'))
    if (threadId === undefined) return undefined
    const key = this.#list(threadId)
    const { items } = await this.#store.readItemsById(key, [keyPart(recordId)])
    const [item] = items
    const value = item && itemValue(item)
    if (item === undefined || value === undefined) return undefined
    return { key, id: item.id, record: decodeJson<T>(value), stamp: itemStamp(item) }
  }

  /** Changes it; nothing is done where there is none. */
  async update(recordId: string, change: (record: T) => T): Promise<void> {
    for (let i = 1; ; i++) {
      const found = await this.find(recordId)
      if (found === undefined) return
      try {
        return await this.write([found], change)
      } catch (error) {
        if (!isLost(error) || i === TRIES_MAX) throw error
      }
    }
  }

  /** Changes all of these, or none if one of them was changed since. */
  async write(found: readonly FoundRecord<T>[], change: (record: T) => T): Promise<void> {
    const changes = found.map(({ key, id, record }): Change => {
      return { kind: 'put', key, id, value: change(record) }
    })
    const conditions = found.map(({ key, id, stamp }) => ({ key, id, stamp }))
    await this.#store.write(changes, { if: conditions })
  }

  /** All of a thread, in the order in which they were created. */
  async ofThread(threadId: string): Promise<T[]> {
    return await allItems<T>(this.#store, this.#list(threadId))
  }

  #pointer(recordId: string, name?: string): string {
    return `${this.#prefix}of/${keyPart(recordId, name)}`
  }

  #list(threadId: string): string {
    return `${this.#prefix}in/${keyPart(threadId, 'threadId')}`
  }
}

/** All values of a list, in their order. */
export async function allItems<T>(store: StrategicStorageManager, key: string): Promise<T[]> {
  const values: T[] = []
  const query = { key, limit: PAGE_ITEMS_MAX, order: 'oldest' } as const
  for (let after: Stamp | undefined; ;) {
    const { items, done } = await store.getItems<T>({ ...query, ...(after && { after }) })
    values.push(...items.map(({ value }) => value))
    after = items.at(-1)?.position
    if (done || after === undefined) return values
  }
}

/** Somebody else was faster, and nothing has happened. */
function isLost(error: unknown): boolean {
  return isStorageError(error, 'CONFLICT') && error.effect === 'none'
}
