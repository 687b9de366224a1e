import type { ChatHistory } from '../../chat/chat-history.ts'
import { conversationKey } from '../../chat/keys.ts'
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
    let after: string | undefined
    do {
      const { messages, nextCursor, complete } = await this.#retry(() =>
        this.#history.getHistory(conversationId, {
          limit: PAGE_ITEMS_MAX,
          order: 'oldest',
          ...(after !== undefined && { after }),
        }),
      )
      yield { messages, complete }
      after = nextCursor
    } while (after !== undefined)
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
