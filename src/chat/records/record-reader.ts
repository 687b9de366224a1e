import { isStorageError } from '../../core/errors.ts'
import { isJson } from '../../core/json.ts'
import { isoTime, msOfDateTime } from '../../core/iso-time.ts'
import { PAGE_ITEMS_MAX } from '../../core/limits.ts'
import type { Item } from '../../core/merge.ts'
import { stampMs, type Stamp } from '../../core/stamp.ts'
import type { StrategicStorageManager } from '../../store/strategic-storage-manager.ts'
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

  constructor(store: StrategicStorageManager, tenant: string) {
    this.store = store
    this.tenant = tenant
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
    const at = isoTime((await this.#timeOf(key, item)) ?? stampMs(item.position))
    return { position: item.position, at, complete: page.complete }
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
