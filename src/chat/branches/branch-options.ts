import { CONVERSATION_ID_BYTES_MAX, MESSAGE_ID_BYTES_MAX } from '../../core/limits.ts'
import { argument, boolean, byDefault, oneOf, text } from '../../core/option-kinds.ts'
import type { OptionTable } from '../../core/options.ts'
import type { Stamp } from '../../core/stamp.ts'
import type { ChatMessage, Receipt } from '../message.ts'
import type { ProviderName } from '../providers/shapes.ts'

/** Where a fork begins, and what it is called. */
export interface ForkOptions {
  /** The last message that is shared, by its id. Default: the latest. */
  readonly from?: string
  /**
   * The id of the new conversation, which must never have been used: at most 512 bytes. With one of your own a
   * repeat makes the same fork. Default: made by the store.
   */
  readonly as?: string
}

/** A fork was made. */
export interface ForkReceipt extends Omit<Receipt, 'id' | 'position' | 'stamp'> {
  /** The new conversation. */
  readonly conversationId: string
  /** The last message that it shares. */
  readonly messageId: string
}

/** A conversation that shares messages of another. */
export interface Fork {
  readonly conversationId: string
  /** The last message that it shares, as it was when the fork was made. */
  readonly messageId: string
}

/** The forks of a conversation. */
export interface ForkList {
  /** The first made first. */
  readonly forks: readonly Fork[]
  /** False when another process may have acknowledged forks that are not here. */
  readonly complete: boolean
}

/** Where a conversation is cut. */
export interface TruncateOptions {
  /** The first message that goes, by its id or its position. */
  readonly from: string
}

/** A conversation was cut. */
export interface TruncateReceipt extends Omit<Receipt, 'id' | 'position' | 'stamp'> {
  /** Messages that went. */
  readonly removed: number
  /** False when another process may have acknowledged messages that were not seen, and so stay. */
  readonly complete: boolean
}

/** A message was edited, and the conversation goes on from there. */
export interface ResendReceipt extends Receipt {
  /** The conversation that has the old continuation, a fork. */
  readonly kept: string
  /** Messages that the conversation does not show any more. */
  readonly removed: number
}

/** What becomes of an alternative that is added. */
export interface AlternativeOptions {
  /** Show it at once. Default: true. */
  readonly choose?: boolean
}

/** One of the answers that stand in the place of one message. */
export interface Alternative<Extras extends object | ProviderName = {}> {
  /** Names it for `chooseAlternative`; that of the first is the message's. */
  readonly id: string
  /** The message; the active one as the conversation shows it. */
  readonly message: ChatMessage<Extras>
  /** It is the one that the conversation shows. */
  readonly active: boolean
}

/** The answers that stand in the place of one message. */
export interface AlternativeList<Extras extends object | ProviderName = {}> {
  /** The first is the first that was saved. */
  readonly alternatives: readonly Alternative<Extras>[]
  readonly complete: boolean
}

/** What becomes of forks when a conversation is erased. */
export type ErasedForks = 'refuse' | 'keep' | 'erase'

export const FORK: OptionTable<ForkOptions> = {
  from: text(MESSAGE_ID_BYTES_MAX),
  as: text(CONVERSATION_ID_BYTES_MAX),
}

export const TRUNCATE: OptionTable<TruncateOptions> = {
  from: argument(text(MESSAGE_ID_BYTES_MAX)),
}

export const ADD_ALTERNATIVE: OptionTable<AlternativeOptions, 'choose'> = {
  choose: byDefault(true, boolean()),
}

export const ERASED_FORKS: ReturnType<typeof oneOf<ErasedForks>> = oneOf('refuse', 'keep', 'erase')

/** A message that goes, and where. */
export interface Going {
  readonly id: string
  readonly position: Stamp
  readonly isOwn: boolean
}
