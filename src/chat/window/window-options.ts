import { invalid } from '../../core/errors.ts'
import {
  abortSignal,
  boolean,
  byDefault,
  callback,
  integer,
  oneOf,
  secret,
} from '../../core/option-kinds.ts'
import { resolve, type OptionTable, type Resolved } from '../../core/options.ts'
import type { DanglingToolCall } from '../turns/dangling-tool-calls.ts'
import type { ChatMessage } from '../message.ts'
import type { ProviderName } from '../providers/shapes.ts'

/** Most messages that one window looks at: with unanswered calls between them there may be fewer in it. */
export const WINDOW_READ_MAX = 10_000

/** What a window may hold. */
export interface WindowOptions<Extras extends object | ProviderName = {}> {
  /**
   * Messages of the window at most, 1 to 10,000, kept system messages included. Default: no limit but that of
   * `maxTokens`; one of both must be given.
   */
  readonly maxMessages?: number
  /** Tokens of the window at most, as `countTokens` counts them, kept system messages included. */
  readonly maxTokens?: number
  /**
   * The tokens of one message: a finite number of at least 0, at once or as a promise. It is called once for
   * each message that is looked at, one after another, from the latest backwards. What it throws ends the call
   * with `INVALID_ARGUMENT`. Needed for `maxTokens`; without `maxTokens` the tokens are only summed up.
   */
  readonly countTokens?: (message: ChatMessage<Extras>) => number | Promise<number>
  /**
   * Keep the `system` and `developer` messages that the conversation begins with, at most 100, in front of
   * the others. Those further on are messages like all others. Default: false.
   */
  readonly keepSystem?: boolean
  /**
   * `user`: the messages begin with one of a user, as some providers demand; what stands before it is left
   * out. Default: with whatever message fits.
   */
  readonly startOn?: 'user'
  /** A token of a receipt, a page or a window, as for `getHistory`. */
  readonly session?: string
  /** Ends the call between two pages, or while it waits for `countTokens`: it rejects with `TIMEOUT`. */
  readonly signal?: AbortSignal
}

/** The latest messages of a conversation that fit. */
export interface HistoryWindow<Extras extends object | ProviderName = {}> {
  /**
   * The kept system messages, then the latest that fit, oldest first; a tool's result stands right behind the
   * call, also one that came late. No call is here without its result, and no result without its call.
   */
  readonly messages: readonly ChatMessage<Extras>[]
  /** The tokens of `messages`. Absent without `countTokens`. */
  readonly tokens?: number
  /** Older messages were left out, because of a limit or for `startOn`. */
  readonly truncated: boolean
  /** Pass it to `getHistory` as `before` for the older ones. Absent when there are none. */
  readonly nextCursor?: string
  /**
   * Ids of messages that are not older and were left out all the same, oldest first: calls without results
   * and what belongs to them, results whose calls are older or gone, and second results of one call.
   */
  readonly leftOut: readonly string[]
  /** The calls without results that were come upon, oldest first: `closeToolCalls` mends them. */
  readonly danglingToolCalls: readonly DanglingToolCall[]
  /**
   * Present when not even the latest turn fits, with the kept system messages; then `messages` is empty. It
   * says what they need: at least, with `startOn`.
   */
  readonly oversized?: { readonly messages: number; readonly tokens?: number }
  /** False when another process may have acknowledged messages that are not here. */
  readonly complete: boolean
  /** Set where a `sessionSecret` was given: a read with it is not older than this window. */
  readonly session?: string
}

const WINDOW_OPTIONS: OptionTable<WindowOptions, 'keepSystem'> = {
  maxMessages: integer(1, WINDOW_READ_MAX),
  maxTokens: integer(1, Number.MAX_SAFE_INTEGER),
  countTokens: callback(),
  keepSystem: byDefault(false, boolean()),
  startOn: oneOf('user'),
  session: secret(),
  signal: abortSignal(),
}

/** `WindowOptions` with their defaults. */
export type ResolvedWindow<Extras extends object | ProviderName = {}> = Omit<
  Resolved<typeof WINDOW_OPTIONS>,
  'countTokens'
> &
  Pick<WindowOptions<Extras>, 'countTokens'>

/** Fills the defaults in and refuses what cannot work, naming the field. */
export function resolveWindow<Extras extends object | ProviderName = {}>(
  options: WindowOptions<Extras>,
): ResolvedWindow<Extras> {
  const resolved = resolve('', options, WINDOW_OPTIONS) as ResolvedWindow<Extras>
  const { maxMessages, maxTokens, countTokens } = resolved
  if (maxMessages === undefined && maxTokens === undefined) {
    throw invalid('maxMessages or maxTokens must be given')
  }
  if (maxTokens !== undefined && countTokens === undefined) {
    throw invalid('countTokens must be given with maxTokens')
  }
  return resolved
}
