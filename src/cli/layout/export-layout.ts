import type { ChatMessage } from '../../chat/message.ts'
import type { NewConversation } from '../../chat/records/record-options.ts'

/** The text of one conversation, piece by piece. */
export interface ConversationText {
  /** What comes before the message, and the message. */
  add(message: ChatMessage): string
  /** What comes behind the last one. */
  end(): string
  /** All of it where there is no message but a record. Absent: nothing. */
  empty?(): string
}

/** How an export is laid out. */
export interface ExportLayout {
  readonly begin: string
  /** `record`: what the store knows of it beside the messages. */
  conversation(conversationId: string, record?: NewConversation): ConversationText
  readonly end: string
}
