import { isStorageError, StorageError } from '../../core/errors.ts'
import { abortSignal, byDefault, integer, ms, secret, text } from '../../core/option-kinds.ts'
import type { OptionTable } from '../../core/options.ts'
import { isoTime } from '../../core/iso-time.ts'
import type { Item } from '../../core/merge.ts'
import { stampMs } from '../../core/stamp.ts'
import type { ConversationPages, PlacedMessage } from '../conversation-pages.ts'
import type { NewMessage, Receipt } from '../message.ts'
import { closingMessage, isClosable, type Closable } from './closing-message.ts'
import type { ToolCall } from './tool-use.ts'
import { TurnFinder } from './turn-finder.ts'

/** Messages of the pages that are read. */
const PAGE_MESSAGES = 100
/** Longest text of an error result. UTF-8 bytes. */
const CONTENT_BYTES_MAX = 65_536

/** A tool call without a result. */
export interface DanglingToolCall {
  /** The message that calls. */
  readonly messageId: string
  /** The call's own id. Absent where it has none: then `closeToolCalls` leaves it open. */
  readonly toolCallId?: string
  /** The tool's name, if the call has it. */
  readonly name?: string
  /** When the message was saved, ISO 8601. */
  readonly savedAt: string
}

/** Where unanswered calls are looked for. */
export interface FindToolCallsOptions {
  /** Messages that are looked at, from the latest backwards, 1 to 10,000. Default: 1000. */
  readonly limit?: number
  /** A token of a receipt, a page or a window, as for `getHistory`. */
  readonly session?: string
  /** Ends the call between two pages: it rejects with `TIMEOUT`. */
  readonly signal?: AbortSignal
}

/** What `findDanglingToolCalls` found. */
export interface DanglingToolCalls {
  /** Oldest first. */
  readonly toolCalls: readonly DanglingToolCall[]
  /** Older messages were not looked at. */
  readonly truncated: boolean
  /** False when another process may have acknowledged messages that were not looked at: also results. */
  readonly complete: boolean
  /** Set where a `sessionSecret` was given. */
  readonly session?: string
}

/** Which calls are closed, and with what. */
export interface CloseToolCallsOptions extends FindToolCallsOptions {
  /**
   * Only calls of messages that were saved at least so long ago: the tool of a younger one may still be
   * running. Milliseconds. Default: 0.
   */
  readonly olderThanMs?: number
  /** The text of the results, at most 65,536 bytes. Default: `The tool call was interrupted.` */
  readonly content?: string
}

/** A tool call that has an error as its result. */
export interface ClosedToolCall extends DanglingToolCall {
  /** That of the result. Absent where another process had saved one with another text. */
  readonly receipt?: Receipt
}

/** What `closeToolCalls` did. */
export interface ClosedToolCalls {
  /** Oldest first. */
  readonly closed: readonly ClosedToolCall[]
  /**
   * Those that are still without a result: younger than `olderThanMs`, without an id, of a message that is
   * `incomplete`, or in a part that has its result in itself, as in the AI SDK's `UIMessage`: update that
   * message.
   */
  readonly open: readonly DanglingToolCall[]
  /** Older messages were not looked at. */
  readonly truncated: boolean
}

export const FIND_OPTIONS: OptionTable<FindToolCallsOptions, 'limit'> = {
  limit: byDefault(1_000, integer(1, 10_000)),
  session: secret(),
  signal: abortSignal(),
}

export const CLOSE_OPTIONS: OptionTable<
  CloseToolCallsOptions,
  'limit' | 'olderThanMs' | 'content'
> = {
  ...FIND_OPTIONS,
  olderThanMs: byDefault(0, ms(0, Number.MAX_SAFE_INTEGER)),
  content: byDefault('The tool call was interrupted.', text(CONTENT_BYTES_MAX)),
}

/** A call without a result, as it is written. */
export interface OpenCall {
  readonly message: PlacedMessage
  readonly call: ToolCall
}

/** `DanglingToolCalls` with the calls as they are written. */
export interface OpenCalls extends Omit<DanglingToolCalls, 'toolCalls'> {
  readonly calls: readonly OpenCall[]
}

/** Looks for calls without results among the latest messages; `items` are those that were read. */
export async function findOpenCalls(
  pages: ConversationPages,
  limit: number,
): Promise<{ readonly found: OpenCalls; readonly items: readonly Item[] }> {
  const finder = new TurnFinder<PlacedMessage>()
  const calls: OpenCall[] = []
  const items: Item[] = []
  let truncated = true
  const size = Math.min(limit, PAGE_MESSAGES)
  for await (const page of pages.latest({ first: size, next: PAGE_MESSAGES, max: limit })) {
    for (const message of page.messages) {
      items.push(message.item)
      // Its calls are on their way.
      if (message.partial === 'in_progress') continue
      const { dangling } = finder.add(message)
      calls.push(...dangling.map((call) => ({ message, call })).reverse())
    }
    truncated = !page.isLast
  }
  return { found: { calls: calls.reverse(), truncated, complete: pages.complete }, items }
}

/** How a caller is told of a call without a result. */
export function danglingToolCall({ message, call: { id, name } }: OpenCall): DanglingToolCall {
  const { item } = message
  return {
    messageId: item.id,
    ...(id !== undefined && { toolCallId: id }),
    ...(name !== undefined && { name }),
    savedAt: isoTime(stampMs(item.appendedAt ?? item.position)),
  }
}

interface ClosableCall extends OpenCall {
  readonly call: Closable
}

/** What closing calls works with. */
export interface ClosingParts {
  readonly save: (message: NewMessage) => Promise<Receipt>
  /** True when there is a message of this id. */
  readonly stands: (id: string) => Promise<boolean>
}

/** What is closed, and with what. */
export interface Closing {
  /** Calls of messages that were saved after this stay open. Unix milliseconds, or `Infinity`. */
  readonly before: number
  readonly content: string
}

/**
 * Saves a result with an error for each call that can be closed.
 *
 * @throws StorageError `UNAVAILABLE` before any effect when a result may be where it cannot be read.
 */
export async function closeCalls(
  { calls, truncated, complete }: OpenCalls,
  { before, content }: Closing,
  { save, stands }: ClosingParts,
): Promise<ClosedToolCalls> {
  const isDue = (each: OpenCall): each is ClosableCall =>
    // What a writer that died left of a call may be half of it: no model takes that.
    each.message.message.status !== 'incomplete' &&
    isClosable(each.call) &&
    stampMs(each.message.item.position) <= before
  const due = calls.filter(isDue)
  if (due.length > 0 && !complete) {
    const why = 'a place that may have results of tool calls is away'
    throw new StorageError('UNAVAILABLE', why, { operation: 'read' })
  }
  const closed: ClosedToolCall[] = []
  for (const each of due) {
    const closing = closingMessage(each.message.item.id, each.call, content)
    const receipt = await save(closing).catch(async (error: unknown) => {
      // Another process closed it, with another text.
      if (isStorageError(error, 'CONFLICT') && (await stands(closing.id))) return undefined
      throw error
    })
    closed.push({ ...danglingToolCall(each), ...(receipt !== undefined && { receipt }) })
  }
  const open = calls.filter((each) => !isDue(each)).map(danglingToolCall)
  return { closed, open, truncated }
}
