import { isStorageError } from '../../core/errors.ts'
import { isJson } from '../../core/json.ts'
import { isoTime, msOfDateTime } from '../../core/iso-time.ts'
import { PAGE_ITEMS_MAX } from '../../core/limits.ts'
import type { Item } from '../../core/merge.ts'
import { stampMs, type Stamp } from '../../core/stamp.ts'
import type { StrategicStorageManager } from '../../store/strategic-storage-manager.ts'
import { ConversationView } from '../branches/conversation-view.ts'
import { isMarkerItem } from '../branches/fork-marker.ts'
import { storeReader } from '../branches/forks.ts'
import { decodeMessage, isMessageText } from '../codec.ts'
import { conversationKey, recordKey } from '../keys.ts'
import { recordOf, type ConversationRecord } from './record.ts'

/** A record, or that there is none. */
export interface RecordRead {
  readonly record: ConversationRecord | undefined
  /** All its fields, those of an earlier record too. */
  readonly items: readonly Item[]
  readonly complete: boolean
}

/** The latest message of a conversation, or that there is none. */
export interface LatestRead {
  /** Where it stands. */
  readonly position: Stamp | undefined
  /** ISO 8601. */
  readonly at: string | undefined
  readonly complete: boolean
}

/** Reads records, and what is shown beside them. */
export class RecordReader {
  readonly store: StrategicStorageManager
  readonly tenant: string
  readonly #view: ConversationView

  constructor(store: StrategicStorageManager, tenant: string) {
    this.store = store
    this.tenant = tenant
    this.#view = new ConversationView(storeReader(store), tenant)
  }

  async record(conversationId: string): Promise<RecordRead> {
    const key = recordKey(this.tenant, conversationId)
    const query = { key, limit: PAGE_ITEMS_MAX, order: 'oldest' } as const
    const { items, complete } = await this.store.readItems(query)
    const whole = await this.store.decodeItems(key, items, (item) => item, isJson)
    return { record: recordOf(whole), items: whole, complete }
  }

  async latest(conversationId: string): Promise<LatestRead> {
    const key = conversationKey(this.tenant, conversationId)
    const page = await this.store.readItems({ key, limit: 1, order: 'newest' })
    const [item] = page.items
    if (item === undefined) return { position: undefined, at: undefined, complete: page.complete }
    if (isMarkerItem(item)) return await this.#latestShared(conversationId, item)
    const at = isoTime((await this.#timeOf(key, item)) ?? stampMs(item.position))
    return { position: item.position, at, complete: page.complete }
  }

  /** Of a fork without a message of its own: the marker stands right behind the last one that it shares. */
  async #latestShared(conversationId: string, { position }: Item): Promise<LatestRead> {
    const { items, complete } = await this.#view.page(conversationId, { limit: 1, order: 'newest' })
    const [last] = items
    const time = last && (await this.#timeOf(last.key, last.item))
    return { position, at: isoTime(time ?? stampMs(position)), complete }
  }

  /** How many messages a conversation shows; of a fork also what it shares. */
  async count(
    conversationId: string,
  ): Promise<{ readonly count: number; readonly complete: boolean }> {
    let complete = true
    const count = await this.#view.count(conversationId, async (key) => {
      const counted = await this.store.countItems(key)
      complete &&= counted.complete
      return counted
    })
    return { count, complete }
  }

  /** Undefined for a message that says none, or that no database has intact: `getHistory` tells of that. */
  async #timeOf(key: string, item: Item): Promise<number | undefined> {
    try {
      const decode = (each: Item): unknown => decodeMessage(each)?.createdAt
      const [createdAt] = await this.store.decodeItems(key, [item], decode, isMessageText)
      return msOfDateTime(createdAt)
    } catch (error) {
      if (!isStorageError(error, 'CORRUPT')) throw error
      return undefined
    }
  }
}
