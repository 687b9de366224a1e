import type { ChatMessage } from '../../chat/message.ts'
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
  /** Every conversation with a message, in any order. */
  conversationIds(): Promise<readonly string[]>
  /** Where its first message stands; undefined when there is no such conversation. */
  firstPosition(conversationId: string): Promise<Stamp | undefined>
  /** All its messages, oldest first; nothing when there is no such conversation. */
  batches(conversationId: string): AsyncIterable<MessageBatch>
}
