import { PAGE_ITEMS_MAX } from '../core/limits.ts'
import { resolve } from '../core/options.ts'
import type { Changes, SubscribeOptions } from './changes/change.ts'
import type { ChangeFeed } from './changes/change-feed.ts'
import { SUBSCRIBE } from './changes/subscribe-options.ts'
import type { ConversationReader } from './conversation-reader.ts'
import {
  FIND_MESSAGES,
  findMessages,
  type FindMessagesOptions,
  type FoundMessages,
} from './find-messages.ts'
import { HISTORY, type HistoryOptions } from './history-options.ts'
import type { ChatMessage, HistoryPage } from './message.ts'
import type { ProviderName } from './providers/shapes.ts'
import type { ConversationSearch } from './search/conversation-search.ts'
import type { SearchOptions, SearchPage } from './search/search-options.ts'
import { StreamedHistory } from './streams/streamed-history.ts'
import {
  danglingToolCall,
  FIND_OPTIONS,
  type DanglingToolCalls,
  type FindToolCallsOptions,
} from './turns/dangling-tool-calls.ts'
import type { MessageEntry } from './updates/update-options.ts'
import { resolveWindow, type HistoryWindow, type WindowOptions } from './window/window-options.ts'

/** Calls of a history that read, find and follow messages. */
export abstract class ReadHistory<
  Extras extends object | ProviderName,
> extends StreamedHistory<Extras> {
  /** @internal */
  protected abstract get reader(): ConversationReader<Extras>
  /** @internal */
  protected abstract get found(): ConversationSearch<Extras>
  /** @internal */
  protected abstract get feed(): ChangeFeed<Extras>

  /** One page of a conversation; an unknown conversation is an empty one. */
  async getHistory(conversationId: string, options?: HistoryOptions): Promise<HistoryPage<Extras>> {
    return await this.reader.page(conversationId, resolve('', options, HISTORY))
  }

  /**
   * The latest messages that fit a model's context: at most so many, or so many tokens, oldest first, and
   * never a tool call without its result or a result without its call. Reads from the latest backwards until
   * that is full, at most 10,000 messages, and says what it left out. What is saved meanwhile may not be in it.
   *
   * @throws StorageError as `getHistory`; `INVALID_ARGUMENT` also for what `countTokens` throws or gives.
   */
  async window(
    conversationId: string,
    options: WindowOptions<Extras>,
  ): Promise<HistoryWindow<Extras>> {
    return await this.reader.window(conversationId, resolveWindow(options))
  }

  /** The tool calls among the latest messages that have no result. */
  async findDanglingToolCalls(
    conversationId: string,
    options?: FindToolCallsOptions,
  ): Promise<DanglingToolCalls> {
    const found = await this.reader.openCalls(conversationId, resolve('', options, FIND_OPTIONS))
    const { calls, ...rest } = found
    return { toolCalls: calls.map(danglingToolCall), ...rest }
  }

  /** All messages, oldest first, read page by page. What is saved meanwhile may or may not come. */
  async *messages(conversationId: string): AsyncGenerator<ChatMessage<Extras>, void, undefined> {
    let after: string | undefined
    for (;;) {
      const page = await this.getHistory(conversationId, {
        order: 'oldest',
        limit: PAGE_ITEMS_MAX,
        ...(after !== undefined && { after }),
      })
      yield* page.messages
      after = page.nextCursor
      if (after === undefined) return
    }
  }

  /** Undefined when there is none with this id, or when it was removed. */
  async getMessage(conversationId: string, id: string): Promise<ChatMessage<Extras> | undefined> {
    return await this.reader.message(conversationId, id)
  }

  /** The same with the stamp that `ifStamp` of `updateMessage` takes. */
  async getMessageEntry(
    conversationId: string,
    id: string,
  ): Promise<MessageEntry<Extras> | undefined> {
    return await this.reader.entry(conversationId, id)
  }

  /**
   * Messages by their ids alone, at most 999, whichever conversations they are in. No index has them: with
   * `conversationIds` it costs a read of each of those, without them one of every conversation from the one with the
   * latest activity on, 16 at once, until all are found.
   */
  async findMessages(
    ids: readonly string[],
    options?: FindMessagesOptions,
  ): Promise<FoundMessages<Extras>> {
    return await findMessages(
      { store: this.store, tenant: this.tenant, reader: this.reader },
      ids,
      resolve('', options, FIND_MESSAGES),
    )
  }

  async countMessages(conversationId: string): Promise<number> {
    return await this.branches.count(conversationId)
  }

  /**
   * Messages, or titles, of this tenant that have all of these words, latest first, as they stand: what was
   * removed is not there, nor what an update took out. Needs a database with `search: true`, or one in memory.
   *
   * @throws StorageError `INVALID_ARGUMENT`; `UNSUPPORTED` where no database is indexed, with the reason of
   * each; `UNAVAILABLE` while an index is being built.
   */
  async search(options: SearchOptions): Promise<SearchPage<Extras>> {
    return await this.found.page(options)
  }

  /**
   * Changes of a conversation, or of all, as this process comes to see them, of all processes: an async
   * iterable for one consumer. No message is missed: one that arrives late is told late, or a `resync` says
   * what to read again. What a consumer knows already may be told again; the ids tell.
   *
   * @throws StorageError `INVALID_ARGUMENT` at once; the iterator throws only what no repetition mends.
   */
  subscribe(options?: SubscribeOptions): Changes<Extras> {
    return this.feed.subscribe(resolve('', options, SUBSCRIBE))
  }
}
