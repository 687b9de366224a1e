import { CONVERSATION_ID_BYTES_MAX } from '../../core/limits.ts'
import {
  argument,
  byDefault,
  hidden,
  integer,
  oneOf,
  text,
  value,
} from '../../core/option-kinds.ts'
import { isDateTime } from '../../core/iso-time.ts'
import type { OptionTable } from '../../core/options.ts'
import { ROLES, type ChatMessage } from '../message.ts'
import type { ProviderName } from '../providers/shapes.ts'

/** What is looked for, and where. */
export interface SearchOptions {
  /**
   * Words that must all be there, `"phrases"` in quotes, and `-word` or `-"a phrase"` for what must not be.
   * Nothing else is syntax. Case, diacritics and widths of characters make no difference. At most 4,096
   * characters and 32 words and phrases, and one word at least that must be there.
   */
  readonly text: string
  /** The texts of messages, or the titles of conversations. Default: messages. */
  readonly in?: 'messages' | 'titles'
  /** Only in this conversation. */
  readonly conversationId?: string
  /** Only in conversations whose record names this owner. */
  readonly owner?: string
  /** Only messages of this role. */
  readonly role?: string
  /** Only what was saved at this time or later. RFC 3339. An update changes no time. */
  readonly after?: string
  /** Only what was saved before this time. RFC 3339. */
  readonly before?: string
  /** Hits of the page, 1 to 100. Default: 20. */
  readonly limit?: number
  /** `nextCursor` of the page before, with the same options otherwise. */
  readonly cursor?: string
}

/** One message, or one title, that was found. */
export interface SearchHit<Extras extends object | ProviderName = {}> {
  readonly conversationId: string
  /** Where it stands: hits come by it, the greatest first. */
  readonly position: string
  /** The message as it stands. Absent for a title. */
  readonly message?: ChatMessage<Extras>
  /** The title as it stands. Absent for a message. */
  readonly title?: string
  /** About 200 characters of the text around what was found; `…` where it goes on. */
  readonly excerpt: string
  /** Where in the excerpt the words stand: from and to, in UTF-16 units. At most 32. */
  readonly highlights: readonly (readonly [start: number, end: number])[]
}

/** A page of what was found, latest first. */
export interface SearchPage<Extras extends object | ProviderName = {}> {
  readonly hits: readonly SearchHit<Extras>[]
  /**
   * Pass it as `cursor` for the next page. Absent: no more. A page may have fewer hits than were asked for, and
   * still a cursor: where many messages have the words, but few of them as a phrase or of the owner.
   */
  readonly nextCursor?: string
  /** False when another process may have acknowledged messages that are not here. */
  readonly complete: boolean
}

const TIME = value<string>('a time of RFC 3339', isDateTime)

export const SEARCH: OptionTable<SearchOptions, 'in' | 'limit'> = {
  text: argument(hidden(value<string>('text', (given) => typeof given === 'string'))),
  in: byDefault('messages', oneOf('messages', 'titles')),
  conversationId: text(CONVERSATION_ID_BYTES_MAX),
  owner: text(),
  role: oneOf(...ROLES),
  after: TIME,
  before: TIME,
  limit: byDefault(20, integer(1, 100)),
  cursor: hidden(text(36)),
}
