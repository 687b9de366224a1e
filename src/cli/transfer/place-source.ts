import { access } from 'node:fs/promises'
import type { DatabaseSource } from '../../backend/sources.ts'
import type { ReplicaBackend } from '../../backend/replica-backend.ts'
import { ConversationView, type ListReader } from '../../chat/branches/conversation-view.ts'
import { decodeMessage, isMessageText } from '../../chat/codec.ts'
import {
  conversationKey,
  parseConversationKey,
  recordKey,
  streamKey,
  tenantPrefix,
} from '../../chat/keys.ts'
import type { ChatMessage } from '../../chat/message.ts'
import type { NewConversation } from '../../chat/records/record-options.ts'
import { recordOf, type ConversationRecord } from '../../chat/records/record.ts'
import { partialOf } from '../../chat/streams/partial-reader.ts'
import { markOf } from '../../chat/streams/stream-items.ts'
import { StorageConnectionError, StorageError } from '../../core/errors.ts'
import { isJson, type JsonText } from '../../core/json.ts'
import { PAGE_ITEMS_MAX } from '../../core/limits.ts'
import { itemValue, type Item } from '../../core/merge.ts'
import type { DatabasePlace } from '../../core/places.ts'
import type { Stamp } from '../../core/stamp.ts'
import { StorageManager } from '../../manager/storage-manager.ts'
import { placePartsOf, type PlaceConfig } from '../../store/place-config.ts'
import { refuseLocked } from '../../strategy/read/check-answer.ts'
import { sqlitePath } from '../settings/refuse-database-file.ts'
import { beginningOf, fieldsOfRecord } from '../jsonl/record-fields.ts'
import type { ConversationSource, MessageBatch } from './conversation-source.ts'

export interface PlaceSourceOptions {
  readonly place: DatabasePlace
  readonly database: PlaceConfig
  /** Reads the database in place of `database`, where its values are encrypted. */
  readonly decrypted?: DatabaseSource
  readonly tenant: string
}

/**
 * Opens one database alone and hands it to the action: neither the other database nor the log is
 * touched. What is still pending in a log is therefore not in it; that is what this is for.
 */
export async function withPlaceSource<T>(
  { place, database, decrypted, tenant }: PlaceSourceOptions,
  action: (source: ConversationSource) => Promise<T>,
): Promise<T> {
  await checkThere(place, database)
  const manager =
    database instanceof StorageManager
      ? database
      : new StorageManager({
          database: decrypted ?? placePartsOf(place, database).database,
          name: place,
        })
  await manager.connect()
  try {
    return await action(new PlaceSource(place, manager.getHandles().database, tenant))
  } finally {
    await manager.disconnect()
  }
}

/** An engine makes a file that is missing; an export of nothing must not look like one of it. */
export async function checkThere(place: DatabasePlace, database: PlaceConfig): Promise<void> {
  const path = sqlitePath(place, database)
  if (path === undefined) return
  try {
    await access(path)
  } catch (error) {
    throw new StorageConnectionError('sqlite', `${place}: there is no database ${path}`, {
      place,
      cause: error,
    })
  }
}

class PlaceSource implements ConversationSource {
  readonly #place: DatabasePlace
  readonly #backend: ReplicaBackend
  readonly #tenant: string

  constructor(place: DatabasePlace, backend: ReplicaBackend, tenant: string) {
    this.#place = place
    this.#backend = backend
    this.#tenant = tenant
  }

  async conversationIds(): Promise<readonly string[]> {
    const ids = new Set<string>()
    for (const space of ['chat', 'record'] as const) {
      const prefix = tenantPrefix(this.#tenant, space)
      for (const key of await this.#backend.list(prefix)) ids.add(key.slice(prefix.length))
    }
    return [...ids]
  }

  async firstPosition(conversationId: string): Promise<Stamp | undefined> {
    const key = conversationKey(this.#tenant, conversationId)
    const { items } = await this.#backend.readItems({ key, limit: 1, order: 'oldest' })
    if (items[0] !== undefined) return items[0].position
    const record = await this.#record(conversationId)
    return record === undefined ? undefined : beginningOf(record)
  }

  async record(conversationId: string): Promise<NewConversation | undefined> {
    const record = await this.#record(conversationId)
    return record === undefined ? undefined : fieldsOfRecord(record)
  }

  async #record(conversationId: string): Promise<ConversationRecord | undefined> {
    const key = recordKey(this.#tenant, conversationId)
    const query = { key, limit: PAGE_ITEMS_MAX, order: 'oldest' } as const
    const { items } = await this.#backend.readItems(query)
    for (const item of items) refuseLocked(this.#place, itemValue(item))
    return recordOf(items)
  }

  async *batches(conversationId: string): AsyncIterable<MessageBatch> {
    const view = new ConversationView(placeReader(this.#backend), this.#tenant)
    let after: Stamp | undefined
    for (;;) {
      const page = await view.page(conversationId, {
        order: 'oldest',
        limit: PAGE_ITEMS_MAX,
        ...(after !== undefined && { after }),
      })
      const items = page.items.map(({ item }) => item)
      const keys = new Map(page.items.map(({ key, item }) => [item, key]))
      for (const item of items) refuseLocked(this.#place, itemValue(item))
      // What one database holds is all that was asked for.
      const isWhole = (item: Item): boolean => isMessageText(itemValue(item) ?? ('' as JsonText))
      const messages: ChatMessage[] = []
      for (const item of items.filter(isWhole)) {
        // What a fork shares is being written in its source.
        const source = parseConversationKey(keys.get(item)!)?.conversationId
        messages.push(await this.#shown(source ?? conversationId, item))
      }
      const damaged = items.filter((item) => !isWhole(item)).map(({ id }) => id)
      yield { messages, complete: true, damaged }
      after = page.next
      if (after === undefined) return
    }
  }
  /** A message that is being written has its deltas beside it: as far as this database has them. */
  async #shown(conversationId: string, item: Item): Promise<ChatMessage> {
    const message = decodeMessage(item)!
    if (markOf(message) === undefined) return message
    const key = streamKey(this.#tenant, conversationId, item.id)
    const items: Item[] = []
    for (let after: Stamp | undefined, done = false; !done; after = items.at(-1)?.position) {
      const bound = after === undefined ? {} : { after }
      const query = { key, order: 'oldest', limit: PAGE_ITEMS_MAX, ...bound } as const
      const page = await this.#backend.readItems(query)
      for (const each of page.items) refuseLocked(this.#place, itemValue(each))
      items.push(...page.items)
      done = page.done || page.items.length === 0
    }
    return partialOf(item, message, items.filter(isIntact), Date.now()).message
  }
}

function isIntact(item: Item): boolean {
  return isJson(itemValue(item) ?? '')
}

/** What one database has is all that there is. */
function placeReader(backend: ReplicaBackend): ListReader {
  return {
    readItems: async (query) => ({ ...(await backend.readItems(query)), complete: true }),
    readItemsById: async (key, ids) => {
      return { ...(await backend.readItemsById(key, ids)), complete: true }
    },
    mend: async (key) => {
      throw new StorageError('CORRUPT', `the beginning of fork ${JSON.stringify(key)} is damaged`)
    },
  }
}
