import type { ChatMessage } from '../../chat/message.ts'

/** The text of one conversation, piece by piece. */
export interface ConversationText {
  /** What comes before the message, and the message. */
  add(message: ChatMessage): string
  /** What comes behind the last one. */
  end(): string
}

/** How an export is laid out. Nothing is written of a conversation without a message. */
export interface ExportLayout {
  readonly begin: string
  conversation(conversationId: string): ConversationText
  readonly end: string
}
