import { ConversationView } from '../../chat/branches/conversation-view.ts'
import { storeReader } from '../../chat/branches/forks.ts'
import type { ChatHistory } from '../../chat/chat-history.ts'
import type { ContentRef } from '../../chat/content/content-ref.ts'
import type { ChatMessage } from '../../chat/message.ts'
import { conversationKey, tenantPrefix } from '../../chat/keys.ts'
import type { NewConversation } from '../../chat/records/record-options.ts'
import { RecordReader } from '../../chat/records/record-reader.ts'
import { isStorageError } from '../../core/errors.ts'
import { PAGE_ITEMS_MAX } from '../../core/limits.ts'
import type { Stamp } from '../../core/stamp.ts'
import { beginningOf, fieldsOfRecord } from '../jsonl/record-fields.ts'
import { contentLines } from './content-lines.ts'
import type { ConversationSource, MessageBatch } from './conversation-source.ts'

export interface StoreSourceOptions {
  readonly history: ChatHistory
  readonly tenant: string
  /** Repeats a read during an outage. */
  readonly retry: <T>(action: () => Promise<T>) => Promise<T>
}

/** Reads a whole store, page by page: each page can be read again when it fails. */
export class StoreSource implements ConversationSource {
  readonly #history: ChatHistory
  readonly #tenant: string
  readonly #retry: <T>(action: () => Promise<T>) => Promise<T>
  readonly #records: RecordReader

  constructor({ history, tenant, retry }: StoreSourceOptions) {
    this.#history = history
    this.#tenant = tenant
    this.#retry = retry
    this.#records = new RecordReader(history.store, tenant)
  }

  /** By key, which nothing that happens meanwhile changes. */
  async conversationIds(): Promise<readonly string[]> {
    const ids = new Set<string>()
    for (const space of ['chat', 'record'] as const) {
      const prefix = tenantPrefix(this.#tenant, space)
      let after: string | undefined
      do {
        const query = { prefix, limit: PAGE_ITEMS_MAX, ...(after !== undefined && { after }) }
        const { keys, done } = await this.#retry(() => this.#history.store.listKeys(query))
        for (const key of keys) ids.add(key.slice(prefix.length))
        after = done ? undefined : keys.at(-1)
      } while (after !== undefined)
    }
    return [...ids]
  }

  async firstPosition(conversationId: string): Promise<Stamp | undefined> {
    const key = conversationKey(this.#tenant, conversationId)
    const { items } = await this.#retry(() =>
      this.#history.store.readItems({ key, limit: 1, order: 'oldest' }),
    )
    if (items[0] !== undefined) return items[0].position
    const { record } = await this.#retry(() => this.#records.record(conversationId))
    return record === undefined ? undefined : beginningOf(record)
  }

  async record(conversationId: string): Promise<NewConversation | undefined> {
    const { record } = await this.#retry(() => this.#records.record(conversationId))
    return record === undefined ? undefined : fieldsOfRecord(record)
  }

  async *batches(conversationId: string): AsyncIterable<MessageBatch> {
    let after: Stamp | undefined
    do {
      const options = { limit: PAGE_ITEMS_MAX, order: 'oldest', ...(after && { after }) } as const
      const page = await this.#retry(() => this.#history.getHistory(conversationId, options)).catch(
        async (error: unknown) => {
          if (!isStorageError(error, 'CORRUPT')) throw error
          return await this.#readSingly(conversationId, options)
        },
      )
      yield page
      after = page.nextCursor as Stamp | undefined
    } while (after !== undefined)
  }

  contentLines(ref: ContentRef): AsyncIterable<string> {
    return contentLines(
      { readContent: async (one) => await this.#retry(() => this.#history.readContent(one)) },
      ref,
    )
  }

  /** A page message by message, without those that are damaged in every database. */
  async #readSingly(
    conversationId: string,
    options: { readonly limit: number; readonly after?: Stamp },
  ): Promise<MessageBatch & { readonly nextCursor?: string }> {
    const view = new ConversationView(storeReader(this.#history.store), this.#tenant)
    const { items, next, complete } = await this.#retry(() =>
      view.page(conversationId, { ...options, order: 'oldest' }),
    )
    const messages: ChatMessage[] = []
    const damaged: string[] = []
    for (const { item } of items) {
      const { id } = item
      try {
        const message = await this.#retry(() => this.#history.getMessage(conversationId, id))
        if (message !== undefined) messages.push(message)
      } catch (error) {
        if (!isStorageError(error, 'CORRUPT')) throw error
        damaged.push(id)
      }
    }
    return { messages, complete, damaged, ...(next !== undefined && { nextCursor: next }) }
  }
}
