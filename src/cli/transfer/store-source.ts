import { ConversationView } from '../../chat/branches/conversation-view.ts'
import { storeReader } from '../../chat/branches/forks.ts'
import type { ChatHistory } from '../../chat/chat-history.ts'
import type { ChatMessage } from '../../chat/message.ts'
import { conversationKey } from '../../chat/keys.ts'
import { isStorageError } from '../../core/errors.ts'
import { PAGE_ITEMS_MAX } from '../../core/limits.ts'
import type { Stamp } from '../../core/stamp.ts'
import type { ConversationSource, MessageBatch } from './conversation-source.ts'

/** Passes over the list of conversations, should it keep changing. */
const PASSES_MAX = 10

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

  constructor({ history, tenant, retry }: StoreSourceOptions) {
    this.#history = history
    this.#tenant = tenant
    this.#retry = retry
  }

  /**
   * The list has the latest activity first, so a conversation that gets a message while the list
   * is read moves to its beginning and would be missed: what is new there is read once more.
   */
  async conversationIds(): Promise<readonly string[]> {
    const ids = new Set<string>()
    let newest = await this.#collect(ids, undefined)
    for (let pass = 1; pass < PASSES_MAX && newest !== undefined; pass++) {
      const before = ids.size
      newest = await this.#collect(ids, newest)
      if (ids.size === before) break
    }
    return [...ids]
  }

  async firstPosition(conversationId: string): Promise<Stamp | undefined> {
    const key = conversationKey(this.#tenant, conversationId)
    const { items } = await this.#retry(() =>
      this.#history.store.readItems({ key, limit: 1, order: 'oldest' }),
    )
    return items[0]?.position
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

  /** Adds the conversations down to this activity. Returns the activity of the first one. */
  async #collect(ids: Set<string>, down: string | undefined): Promise<string | undefined> {
    let before: string | undefined
    let newest: string | undefined
    do {
      const page = await this.#retry(() =>
        this.#history.listConversations({
          limit: PAGE_ITEMS_MAX,
          ...(before !== undefined && { before }),
        }),
      )
      for (const { conversationId, lastActivityAt } of page.conversations) {
        newest ??= lastActivityAt
        if (down !== undefined && lastActivityAt < down) return newest
        ids.add(conversationId)
      }
      before = page.nextCursor
    } while (before !== undefined)
    return newest ?? down
  }
}
