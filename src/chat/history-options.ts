import { PAGE_ITEMS_MAX } from '../core/limits.ts'
import { boolean, byDefault, integer, oneOf, secret } from '../core/option-kinds.ts'
import type { Filled, OptionTable } from '../core/options.ts'

/** Which page of a conversation is read. */
export interface HistoryOptions {
  /** Messages of the page, 1 to 1000. Default: 50. */
  readonly limit?: number
  /** A cursor: only messages before it. */
  readonly before?: string
  /** A cursor: only messages after it. */
  readonly after?: string
  /**
   * Default: the latest page, oldest first. `newest`: the latest page, newest first. `oldest`: the
   * first page, oldest first; the default when only `after` is given.
   */
  readonly order?: 'newest' | 'oldest'
  /**
   * Let the page begin and end between turns: never between a tool call and its results, where those stand
   * within 100 messages. It has at most `limit` messages then, or fewer; only one turn that is larger alone
   * makes it larger, up to 1000. Default: false.
   */
  readonly alignTurns?: boolean
  /**
   * A token of a receipt or a page, from any process with the same `sessionSecret`: the answer has
   * everything that the token's bearer had written or read. Where that cannot be made certain
   * within 2 s the read is `UNAVAILABLE`.
   */
  readonly session?: string
}

/** Messages, or conversations, of one page. */
export const LIMIT: Filled<number> = byDefault(50, integer(1, PAGE_ITEMS_MAX))

export const HISTORY: OptionTable<HistoryOptions, 'limit' | 'alignTurns'> = {
  limit: LIMIT,
  before: secret(),
  after: secret(),
  order: oneOf('newest', 'oldest'),
  alignTurns: byDefault(false, boolean()),
  session: secret(),
}
