import type { DatabasePlace, PlaceName } from '../core/places.ts'
import type { Stamp } from '../core/stamp.ts'
import type { AnyItem, Kept, ProviderName, ProviderShapes } from './providers/shapes.ts'

export type Role = 'system' | 'developer' | 'user' | 'assistant' | 'tool'

/** What a message may have as its role at run time: ours, and those that only some provider has. */
export const ROLES: readonly string[] = [
  'system',
  'developer',
  'user',
  'assistant',
  'tool',
  'model',
  'function',
  'critic',
  'discriminator',
  'unknown',
]

/** One part of a message's content; its `type` names it, the rest is kept as it came. */
export interface ContentPart {
  readonly type: string
  readonly [field: string]: unknown
}

/**
 * How far a message has come that was saved as a stream: `in_progress` while it is written, `incomplete` when
 * its writer stopped or died before the end, `completed` when it was finished.
 */
export type MessageStatus = 'in_progress' | 'completed' | 'incomplete'

/** What messages of every role may have. */
export interface MessageFields {
  /**
   * At most 1024 bytes. With an id of your own, saving is idempotent: the same id with the same
   * content is stored once, with other content it is a `CONFLICT`. Default: made by the store.
   */
  readonly id?: string
  /**
   * RFC 3339, the form of ISO 8601 with date, time and offset, such as `2026-01-01T12:00:00Z`; it is kept
   * as it came. Default: the time of saving. It does not order messages.
   */
  readonly createdAt?: string
  /** Who speaks, where several share a role; of a tool's answer its tool. */
  readonly name?: string
  /** Set by the store in messages of `startMessage`; in others it is what you say it is. */
  readonly status?: MessageStatus
  /** Whatever else you keep with a message. Fields beside these are declared by `Extras` of `NewMessage`. */
  readonly metadata?: Readonly<Record<string, unknown>>
}

/** Instructions to the model; `developer` is the newer word of some providers for `system`. */
export interface SystemMessage extends MessageFields {
  readonly role: 'system' | 'developer'
  readonly content: string | readonly ContentPart[]
}

/** What a user said. */
export interface UserMessage extends MessageFields {
  readonly role: 'user'
  readonly content: string | readonly ContentPart[]
}

/** What the model answered, and the tools that it calls. */
export interface AssistantMessage extends MessageFields {
  readonly role: 'assistant'
  /** Null is what OpenAI's assistants send beside tool calls. */
  readonly content: string | readonly ContentPart[] | null
  /** In the form of the provider; the store does not look into them. */
  readonly toolCalls?: readonly unknown[]
}

/** What a tool answered. */
export interface ToolMessage extends MessageFields {
  readonly role: 'tool'
  readonly content: string | readonly ContentPart[]
  /** The id of the tool call that it answers. */
  readonly toolCallId?: string
}

/**
 * A message as it is handed in: one of four shapes, told apart by `role`. `Extras` are fields of your own,
 * which the compiler then knows: `NewMessage<{ traceId?: string }>`. Or it is the name of a provider, whose
 * messages they are then: `NewMessage<'anthropic'>`. Default: none.
 *
 * At run time a message may have any fields, of any role; they are kept as they came.
 */
export type NewMessage<Extras extends object | ProviderName = {}> = Extras extends ProviderName
  ? Kept<ProviderShapes[Extras]['message']>
  : (SystemMessage | UserMessage | AssistantMessage | ToolMessage) & Extras

/** What `saveItems` takes: messages, and what has a `type` in place of a role. */
export type ConversationItem<Extras extends object | ProviderName = {}> =
  Extras extends ProviderName ? Kept<ProviderShapes[Extras]['item']> : NewMessage<Extras> | AnyItem

/**
 * A message as it is read back. `Extras` is what you say of it: messages that somebody else saved may lack
 * what it names, and have more. What `saveItems` saved without a role comes back here too.
 */
export type ChatMessage<Extras extends object | ProviderName = {}> = (Extras extends ProviderName
  ? Kept<ProviderShapes[Extras]['item']>
  : NewMessage<Extras>) & {
  readonly id: string
  readonly createdAt: string
}

/** Which places hold a write, and how safe that makes it. */
export interface Receipt {
  readonly id: string
  /** Where the message stands: greater than all that came before it in the conversation. */
  readonly position: Stamp
  /** Of its latest change: what `ifStamp` of `updateMessage` takes. */
  readonly stamp: Stamp
  /** The places that had it when it was acknowledged; the others follow. */
  readonly copies: readonly PlaceName[]
  /** True when at least one of them survives a crash of its process and machine. */
  readonly durable: boolean
  /** Set where a `sessionSecret` was given: hand it to reads, also of other processes. */
  readonly session?: string
}

export interface ClearReceipt extends Omit<Receipt, 'id' | 'position' | 'stamp'> {
  /** Places that are known to be clear. The others follow as soon as they can be reached. */
  readonly clear: readonly DatabasePlace[]
}

export interface HistoryPage<Extras extends object | ProviderName = {}> {
  /** Oldest first, unless `order: 'newest'` was asked for. */
  readonly messages: readonly ChatMessage<Extras>[]
  /** Pass it as `before` (or `after` with `order: 'oldest'`) for the next page. Absent: no more. */
  readonly nextCursor?: string
  /** False when another process may have acknowledged messages that are not here. */
  readonly complete: boolean
  /** Set where a `sessionSecret` was given: a read with it is not older than this page. */
  readonly session?: string
}

export interface Conversation {
  readonly conversationId: string
  /**
   * Time of its latest message, ISO 8601: its `createdAt`. Of a conversation without messages the time of its
   * creation.
   */
  readonly lastActivityAt: string
  /** The fields of its record, where it has one: see `createConversation`. */
  readonly title?: string
  readonly owner?: string
  readonly metadata?: Readonly<Record<string, unknown>>
  readonly createdAt?: string
  /** Time of the latest change of its record; messages do not change it. */
  readonly updatedAt?: string
  /** Set where it was asked for. */
  readonly messageCount?: number
}

/** One conversation, as `getConversation` has it. */
export interface ConversationDetails extends Conversation {
  readonly messageCount: number
  /** Of the latest change of its record, for `ifStamp`. Absent without a record. */
  readonly stamp?: string
  /** False when another process may have acknowledged something that is not here. */
  readonly complete: boolean
}

/** Which places hold a change of a record. */
export interface ConversationReceipt extends Pick<Receipt, 'copies' | 'durable'> {
  readonly conversationId: string
  /** Of this change, for `ifStamp`. */
  readonly stamp: string
}

export interface ConversationPage {
  /** Latest activity first, unless `orderBy` says otherwise. */
  readonly conversations: readonly Conversation[]
  /** Pass it as `before` for the next page. Absent: no more. With filters a page may have fewer than `limit`. */
  readonly nextCursor?: string
  readonly complete: boolean
}
