import { ContentHistory } from '../content/content-history.ts'
import type { ConversationDetails, ConversationPage, ConversationReceipt } from '../message.ts'
import type { ConversationRecords } from './conversation-records.ts'
import type {
  ConversationPatch,
  CountConversationsOptions,
  ListConversationsOptions,
  NewConversation,
  UpdateConversationOptions,
} from './record-options.ts'

/** Calls of a history about what is known of conversations beside their messages. */
export abstract class RecordedHistory extends ContentHistory {
  /** @internal */
  protected abstract get records(): ConversationRecords

  /**
   * Gives a conversation a record: title, owner, metadata. It is listed from then on, also without messages. May be
   * repeated. Of two that create one conversation at the same time the first one stands; while they cannot see each
   * other, or where no database judges conditions, they meet in one record: of each field the later one stands.
   *
   * @throws StorageError `CONFLICT` when it has a record with other fields; otherwise as a save.
   */
  async createConversation(
    conversationId: string,
    fields?: NewConversation,
  ): Promise<ConversationReceipt> {
    return await this.records.create(conversationId, fields)
  }

  /** What is known of a conversation; undefined when it has neither a record nor messages. */
  async getConversation(conversationId: string): Promise<ConversationDetails | undefined> {
    return await this.records.get(conversationId)
  }

  /**
   * Groups fields of a record, and makes one for a conversation that has messages only. Of two changes of one field
   * the later one stands, also after an outage; changes of different fields meet.
   *
   * @throws StorageError `NOT_FOUND`, or `UNAVAILABLE` when it was not found by a read that may be incomplete;
   * `CONFLICT` with `ifStamp`; otherwise as a save.
   */
  async updateConversation(
    conversationId: string,
    patch: ConversationPatch,
    options?: UpdateConversationOptions,
  ): Promise<ConversationReceipt> {
    return await this.records.update(conversationId, patch, options)
  }

  async countConversations(options?: CountConversationsOptions): Promise<number> {
    return await this.records.count(options)
  }

  /** Conversations that have messages, latest activity first. `limit` 1 to 1000, default 50. */
  async listConversations(options?: ListConversationsOptions): Promise<ConversationPage> {
    return await this.records.list(options)
  }
}
