/*
 * Reads a conversation from the latest message backwards until a window is full. Turns are met in the order
 * of their first messages; they are taken whole while they fit. One that lacks a result is passed over, and
 * a result whose call has not been met when the window is full belongs to an older turn.
 */
import { PAGE_ITEMS_MAX } from '../../core/limits.ts'
import type { Item } from '../../core/merge.ts'
import { STAMP_MIN, type Stamp } from '../../core/stamp.ts'
import type { Backwards, ConversationPages, PlacedMessage } from '../conversation-pages.ts'
import { danglingToolCall, type DanglingToolCall } from '../turns/dangling-tool-calls.ts'
import { LedMessages } from '../turns/led-messages.ts'
import { shownOf } from '../turns/shown-messages.ts'
import { TurnFinder } from '../turns/turn-finder.ts'
import { readSystem, type SystemMessages } from './read-system.ts'
import { TokenCounter } from './token-counter.ts'
import { WINDOW_READ_MAX, type HistoryWindow, type ResolvedWindow } from './window-options.ts'

/** Messages of the pages that are read where it is not known how many will do. */
const PAGE_MESSAGES = 50

/** A window, and the items that were read for it. */
export interface WindowRead {
  readonly window: Omit<HistoryWindow, 'session'>
  readonly items: readonly Item[]
}

/** The latest messages that fit. */
export async function readWindow(
  pages: ConversationPages,
  options: ResolvedWindow,
): Promise<WindowRead> {
  const { maxMessages = WINDOW_READ_MAX, maxTokens, keepSystem } = options
  const first = maxTokens === undefined ? maxMessages : Math.min(maxMessages, PAGE_MESSAGES)
  const sizes = {
    first: Math.min(first, PAGE_ITEMS_MAX),
    next: PAGE_MESSAGES,
    max: WINDOW_READ_MAX,
  }
  let fill: WindowFill | undefined
  for await (const page of pages.latest(sizes)) {
    if (fill === undefined) {
      const system = await readSystem(pages, page, keepSystem)
      fill = new WindowFill(options, system)
      if (!(await fill.begin())) break
    }
    if (!(await fill.take(page))) break
  }
  return fill!.finish(pages.complete)
}

/** A turn that was taken, and what the window has with it. */
interface Taken extends Size {
  readonly shown: readonly PlacedMessage[]
}

interface Size {
  readonly messages: number
  readonly tokens: number
}

/** A window while it is filled. */
class WindowFill {
  readonly #options: ResolvedWindow
  readonly #system: SystemMessages
  readonly #systemIds: ReadonlySet<string>
  readonly #counter: TokenCounter
  readonly #finder = new TurnFinder<PlacedMessage>()
  readonly #ties = new LedMessages()
  /** All that was looked at but for the system messages, latest first. */
  readonly #items: Item[] = []
  readonly #dangling: DanglingToolCall[] = []
  /** Latest first. */
  readonly #turns: Taken[] = []
  /** How many of the turns make the largest window that begins where it may. */
  #chosen = 0
  #systemSize: Size = { messages: 0, tokens: 0 }
  #oversized: Size | undefined
  /** There are older messages, or there may be, that are not in the window. */
  #isCut = true

  constructor(options: ResolvedWindow, system: SystemMessages) {
    this.#options = options
    this.#system = system
    this.#systemIds = new Set(system.messages.map(({ item }) => item.id))
    this.#counter = new TokenCounter(options)
  }

  /** False when not even the system messages fit. */
  async begin(): Promise<boolean> {
    const { messages } = this.#system
    const size = { messages: messages.length, tokens: await this.#counter.sum(messages) }
    this.#systemSize = size
    if (!this.#fits(size)) this.#oversized = size
    return this.#oversized === undefined
  }

  /** Takes older messages, latest first; false when no more are wanted. */
  async take({ messages, isLast }: Backwards): Promise<boolean> {
    const others = messages.filter(({ item }) => !this.#systemIds.has(item.id))
    const body = this.#ties.add(others, isLast)
    for (const [i, message] of body.entries()) {
      const whole = [...(message.led ?? []), message]
      this.#items.push(...whole.map(({ item }) => item).reverse())
      // Half an answer is none yet.
      if (message.partial === 'in_progress') continue
      const { dangling, turn } = this.#finder.add(message)
      this.#dangling.push(...dangling.map((call) => danglingToolCall({ message, call })).reverse())
      // What was thought and led to nothing is no turn.
      if (turn === undefined || !turn.isWhole || message.use.leads === true) continue
      if (!(await this.#takeTurn(shownOf(turn).flatMap(withLed)))) return false
      if (this.#isFull) {
        const isFirst = isLast || whole[0]!.item.position === this.#system.bodyStart
        const hasOlder = i + 1 < body.length || this.#ties.isHolding || !isFirst
        this.#isCut = this.#chosen < this.#turns.length || hasOlder
        return false
      }
    }
    if (isLast) this.#isCut = this.#chosen > 0 && this.#chosen < this.#turns.length
    return !isLast
  }

  finish(complete: boolean): WindowRead {
    const isOversized = this.#oversized !== undefined
    const turns = isOversized ? [] : this.#turns.slice(0, this.#chosen).reverse()
    const body = turns.flatMap(({ shown }) => shown)
    const shown = isOversized ? [] : [...this.#system.messages, ...body]
    const { tokens } = isOversized ? { tokens: 0 } : (turns[0] ?? this.#systemSize)
    const from = this.#isCut ? (body[0]?.item ?? this.#items.at(-1))?.position : undefined
    return {
      items: [...this.#system.messages.map(({ item }) => item), ...this.#items],
      window: {
        messages: shown.map(({ message }) => message),
        ...(this.#options.countTokens !== undefined && { tokens }),
        truncated: this.#isCut,
        ...(from !== undefined && !isOversized && { nextCursor: from }),
        leftOut: isOversized ? [] : this.#leftOut(shown, from ?? STAMP_MIN),
        danglingToolCalls: this.#dangling.reverse(),
        ...(this.#oversized !== undefined && { oversized: this.#told(this.#oversized) }),
        complete,
      },
    }
  }

  /** False when the turn does not fit any more. */
  async #takeTurn(shown: readonly PlacedMessage[]): Promise<boolean> {
    const last = this.#turns.at(-1) ?? this.#systemSize
    const messages = last.messages + shown.length
    // Nobody wants to know how large it is.
    if (this.#chosen > 0 && messages > this.#messagesMax) return false
    const size = { messages, tokens: last.tokens + (await this.#counter.sum(shown)) }
    if (!this.#fits(size)) {
      if (this.#chosen === 0) this.#oversized = size
      return false
    }
    this.#turns.push({ shown, ...size })
    const { startOn } = this.#options
    if (startOn === undefined || shown[0]?.message.role === startOn) {
      this.#chosen = this.#turns.length
    }
    return true
  }

  get #isFull(): boolean {
    return this.#chosen > 0 && this.#turns.at(-1)?.messages === this.#messagesMax
  }

  get #messagesMax(): number {
    return this.#options.maxMessages ?? WINDOW_READ_MAX
  }

  #fits({ messages, tokens }: Size): boolean {
    const { maxTokens = Infinity } = this.#options
    return messages <= this.#messagesMax && tokens <= maxTokens
  }

  /** The ids of what stands in the window's place and is not in it. */
  #leftOut(shown: readonly PlacedMessage[], from: Stamp): string[] {
    const isShown = new Set(shown.map(({ item }) => item.id))
    const missing = this.#items.filter(({ id, position }) => position >= from && !isShown.has(id))
    return missing.map(({ id }) => id).reverse()
  }

  #told({ messages, tokens }: Size): NonNullable<HistoryWindow['oversized']> {
    return { messages, ...(this.#options.countTokens !== undefined && { tokens }) }
  }
}

function withLed(message: PlacedMessage): readonly PlacedMessage[] {
  return message.led === undefined ? [message] : [...message.led, message]
}
