import type { DatabasePlace, PlaceName } from '../core/places.ts'
import type { Stamp } from '../core/stamp.ts'

export type Role = 'system' | 'developer' | 'user' | 'assistant' | 'tool'

export const ROLES: readonly Role[] = ['system', 'developer', 'user', 'assistant', 'tool']

/** One part of a message's content; its `type` names it, the rest is kept as it came. */
export interface ContentPart {
  readonly type: string
  readonly [field: string]: unknown
}

/** A message as it is handed in. Fields that are not named here are kept as they came. */
export interface NewMessage {
  /**
   * At most 256 bytes. With an id of your own, saving is idempotent: the same id with the same
   * content is stored once, with other content it is a `CONFLICT`. Default: made by the store.
   */
  readonly id?: string
  readonly role: Role
  /** Null is what OpenAI's assistants send beside tool calls. */
  readonly content: string | readonly ContentPart[] | null
  /**
   * RFC 3339, the form of ISO 8601 with date, time and offset, such as `2026-01-01T12:00:00Z`; it is kept
   * as it came. Default: the time of saving. It does not order messages.
   */
  readonly createdAt?: string
  readonly toolCalls?: readonly unknown[]
  readonly toolCallId?: string
  readonly name?: string
  readonly metadata?: Readonly<Record<string, unknown>>
  readonly [field: string]: unknown
}

/** A message as it is read back. */
export interface ChatMessage extends NewMessage {
  readonly id: string
  readonly createdAt: string
}

/** Which places hold a write, and how safe that makes it. */
export interface Receipt {
  readonly id: string
  /** Where the message stands: greater than all that came before it in the conversation. */
  readonly position: Stamp
  /** The places that had it when it was acknowledged; the others follow. */
  readonly copies: readonly PlaceName[]
  /** True when at least one of them survives a crash of its process and machine. */
  readonly durable: boolean
  /** Set where a `sessionSecret` was given: hand it to reads, also of other processes. */
  readonly session?: string
}

export interface ClearReceipt extends Omit<Receipt, 'id' | 'position'> {
  /** Places that are known to be clear. The others follow as soon as they can be reached. */
  readonly clear: readonly DatabasePlace[]
}

export interface HistoryPage {
  /** Oldest first, unless `order: 'newest'` was asked for. */
  readonly messages: readonly ChatMessage[]
  /** Pass it as `before` (or `after` with `order: 'oldest'`) for the next page. Absent: no more. */
  readonly nextCursor?: string
  /** False when another process may have acknowledged messages that are not here. */
  readonly complete: boolean
  /** Set where a `sessionSecret` was given: a read with it is not older than this page. */
  readonly session?: string
}

export interface Conversation {
  readonly conversationId: string
  /** Time of its latest message, ISO 8601. */
  readonly lastActivityAt: string
}

export interface ConversationPage {
  /** Latest activity first. */
  readonly conversations: readonly Conversation[]
  readonly nextCursor?: string
  readonly complete: boolean
}
