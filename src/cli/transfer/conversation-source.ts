import type { ContentRef } from '../../chat/content/content-ref.ts'
import type { ChatMessage } from '../../chat/message.ts'
import type { NewConversation } from '../../chat/records/record-options.ts'
import type { Stamp } from '../../core/stamp.ts'

export interface MessageBatch {
  readonly messages: readonly ChatMessage[]
  /** False when another process may have acknowledged messages that are not here. */
  readonly complete: boolean
  /** Ids of messages that are damaged in every database, and left out. */
  readonly damaged?: readonly string[]
}

/** Where an export reads: the whole store, or one database alone. */
export interface ConversationSource {
  /** Every conversation with a message or a record, in any order. */
  conversationIds(): Promise<readonly string[]>
  /**
   * Where its first message stands, or without messages where it was created; undefined when there is no such
   * conversation.
   */
  firstPosition(conversationId: string): Promise<Stamp | undefined>
  /** What is known of it beside the messages. */
  record?(conversationId: string): Promise<NewConversation | undefined>
  /** All its messages, oldest first; nothing when there is no such conversation. */
  batches(conversationId: string): AsyncIterable<MessageBatch>
  /** The lines of a content; a source that reads one database alone has none. */
  contentLines?(ref: ContentRef): AsyncIterable<string>
}
