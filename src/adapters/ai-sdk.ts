/*
 * Chats of the AI SDK: what its guide to persistence calls `loadChat` and `saveChat`, and answers that are kept while
 * they come, which any process can follow.
 */
import type { UIMessage, UIMessageChunk } from 'ai'
import type { ChatHistory } from '../chat/chat-history.ts'
import type { NewMessage } from '../chat/message.ts'
import { StorageError } from '../core/errors.ts'
import { applyStep, stepOf, type Draft } from '../chat/streams/step.ts'
import type { StartedMessage } from '../chat/streams/stream-options.ts'
import { AnswerChunks } from './ai-sdk/answer-chunks.ts'
import { AnswerParts, type Part } from './ai-sdk/answer-parts.ts'
import { AnswerStream } from './ai-sdk/answer-stream.ts'
import { CONTINUES, isUI, readChat, type Kept, type Row } from './ai-sdk/chat-rows.ts'
import { compare } from './ai-sdk/compare-chat.ts'

export { AnswerStream } from './ai-sdk/answer-stream.ts'

/** Messages that are saved in one group. */
const SAVED_AT_ONCE = 500
/** Latest messages among which an answer is looked for that is being written. */
const LOOKED_AT = 20

/** A history whose chats these are. */
export type UIChatHistory = ChatHistory | ChatHistory<'ai-sdk'>

/** How answers are kept. */
export interface EverthreadChatsOptions {
  /** How long the process that makes an answer may be silent: see `StreamOptions`. Milliseconds. Default: 15,000. */
  readonly leaseMs?: number
  /** How often `resume` looks for more. Milliseconds, 10 to 60,000. Default: 200. */
  readonly pollMs?: number
}

/** What `saveChat` takes. */
export interface SaveChat<Message extends UIMessage = UIMessage> {
  readonly chatId: string
  /** The chat as the client or the SDK has it: all of it, or its last messages. */
  readonly messages: readonly Message[]
  /**
   * What becomes of messages that stand and are not among `messages`. `keep`: they stay, since another window may have
   * written them. `remove`: they go for good, as after `regenerate`. Default: `keep`.
   */
  readonly missing?: 'keep' | 'remove'
}

/** What `start` takes. */
export interface StartAnswer<Message extends UIMessage = UIMessage> extends SaveChat<Message> {
  /** Of the answer. Default: made by the store. */
  readonly id?: string
}

/**
 * Chats of the AI SDK in a history: a chat is a conversation, and its messages are kept as they came. `Message` is
 * your own kind of `UIMessage`. Errors are those of the history: an outage is never an empty chat.
 */
export class EverthreadChats<Message extends UIMessage = UIMessage> {
  readonly #history: ChatHistory
  readonly #options: EverthreadChatsOptions

  /** The history is opened and closed by the caller; one of `forTenant` has the chats of that tenant. */
  constructor(history: UIChatHistory, options: EverthreadChatsOptions = {}) {
    this.#history = history as ChatHistory
    this.#options = options
  }

  /**
   * The messages of a chat, the oldest first; none of one that was never written. An answer that still comes is there
   * as far as it has come. Of one that was cut off, calls whose tools did not answer have an error in place of the output.
   */
  async loadChat(chatId: string): Promise<Message[]> {
    const rows = await readChat(this.#history, chatId)
    return rows.map(({ message }) => message as Message)
  }

  /**
   * Saves what is new and what has changed, and nothing else. Messages keep their ids; one whose id is empty gets one
   * of the store. A copy that is behind what stands, such as the half answer of a client that lost its connection,
   * changes nothing, and neither does what is being written. Resolves with the messages as they stand.
   *
   * @throws StorageError as `saveMessages` and `updateMessage`. It may be repeated.
   */
  async saveChat({ chatId, messages, missing = 'keep' }: SaveChat<Message>): Promise<Message[]> {
    const history = this.#history
    const rows = await readChat(history, chatId)
    const { fresh, changed, left, standing } = compare(rows, messages)
    await this.#settle(chatId, rows)
    for (let i = 0; i < fresh.length; i += SAVED_AT_ONCE) {
      const some = fresh.slice(i, i + SAVED_AT_ONCE)
      await history.saveMessages(chatId, some as object as NewMessage[], { onConflict: 'replace' })
    }
    for (const { id, message } of changed) {
      await history.updateMessage(chatId, id, message as object as NewMessage)
    }
    for (const { id } of missing === 'remove' ? left : []) await history.deleteMessage(chatId, id)
    return standing as Message[]
  }

  /**
   * Begins an answer: saves the chat as `saveChat` does, and then the answer's place, so that whoever loads the chat
   * has it. Where the last message is an assistant's, such as one whose call was approved, the answer goes on with it; of
   * two that do the later one counts.
   *
   * @throws StorageError as `saveChat` and `startMessage`; `CONFLICT` while that message is still being written.
   */
  async start({ id, ...chat }: StartAnswer<Message>): Promise<AnswerStream<Message>> {
    const { chatId } = chat
    const messages = await this.saveChat(chat)
    const last = messages.at(-1)
    const before = last?.role === 'assistant' ? last : undefined
    if (before !== undefined) await this.#checkEnded(chatId, before.id)
    const given = before === undefined ? id !== undefined && { id } : { [CONTINUES]: before.id }
    const started = { role: 'assistant', parts: [], ...given } as object as StartedMessage
    const stream = await this.#history.startMessage(chatId, started, this.#lease)
    const parts = (before?.parts ?? []) as object[] as Part[]
    // What is there already comes as deltas do: a reader needs nothing else.
    if (before !== undefined) await stream.append({ at: ['parts'], set: parts })
    const metadata = before?.metadata ?? undefined
    if (metadata !== undefined) await stream.append({ at: ['metadata'], set: metadata })
    return new AnswerStream({
      id: before?.id ?? stream.id,
      messages,
      parts: new AnswerParts(parts, metadata),
      stream,
      onEnd: async () => {
        if (before !== undefined) await this.#settle(chatId, await readChat(this.#history, chatId))
      },
    })
  }

  /**
   * The answer that is being written in this chat, by any process, from its beginning and then as it comes; null where
   * there is none. Its chunks say the same as those of the model, not in the same portions, and without
   * what is transient. It ends with `abort` when the answer is cut off.
   *
   * @throws StorageError as `getHistory`. The stream fails as `readStream` does: resume again.
   */
  async resume(
    chatId: string,
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<ReadableStream<UIMessageChunk> | null> {
    const { messages } = await this.#history.getHistory(chatId, { limit: LOOKED_AT })
    const last = messages.findLast(({ status }) => status === 'in_progress')
    if (last === undefined || !isUI(last)) return null
    const stop = new AbortController()
    const signals = signal === undefined ? [stop.signal] : [stop.signal, signal]
    const chunks = this.#follow(chatId, last, AbortSignal.any(signals))
    return new ReadableStream({
      pull: async (controller) => {
        const { done, value } = await chunks.next()
        if (done === true) controller.close()
        else controller.enqueue(value)
      },
      cancel: () => stop.abort(),
    })
  }

  /**
   * Ends the answer that is being written in this chat, as far as it has come; its process learns of it within a third
   * of the lease, and its `signal` aborts. False where there is none.
   */
  async stop(chatId: string): Promise<boolean> {
    const { messages } = await this.#history.getHistory(chatId, { limit: LOOKED_AT })
    const last = messages.findLast(({ status }) => status === 'in_progress')
    if (last === undefined) return false
    await this.#history.updateMessage(chatId, last.id, {
      ...last,
      status: 'incomplete',
    } as NewMessage)
    return true
  }

  async *#follow(
    conversationId: string,
    { id, [CONTINUES]: continues = id }: Kept,
    signal: AbortSignal,
  ): AsyncGenerator<UIMessageChunk, void, undefined> {
    const { pollMs = 200 } = this.#options
    const draft: Draft = {}
    const chunks = new AnswerChunks()
    let metadata: unknown
    yield { type: 'start', messageId: continues }
    for await (const event of this.#history.readStream({ conversationId, id, pollMs, signal })) {
      if (event.type === 'end') Object.assign(draft, event.message)
      else for (const delta of event.deltas) applyStep(draft, stepOf(draft, delta))
      if (draft['metadata'] !== metadata) {
        metadata = draft['metadata']
        yield { type: 'message-metadata', messageMetadata: metadata }
      }
      yield* chunks.changed((draft['parts'] ?? []) as Part[])
    }
    if (signal.aborted) return
    yield* chunks.end(draft['status'] !== 'incomplete')
  }

  async #checkEnded(chatId: string, id: string): Promise<void> {
    const stands = await this.#history.getMessage(chatId, id)
    if (stands?.status !== 'in_progress') return
    throw new StorageError('CONFLICT', `message ${JSON.stringify(id)} is being written`)
  }

  get #lease(): { readonly leaseMs?: number } {
    const { leaseMs } = this.#options
    return leaseMs === undefined ? {} : { leaseMs }
  }

  /** Makes answers that went on with a message, and have ended, one with it. */
  async #settle(chatId: string, rows: readonly Row[]): Promise<void> {
    for (const { id, message, parts, status, continuedBy } of rows) {
      if (continuedBy.length === 0 || status === 'in_progress') continue
      const whole = { ...message, parts, ...(status !== undefined && { status }) }
      await this.#history.updateMessage(chatId, id, whole as object as NewMessage)
      for (const each of continuedBy) await this.#history.deleteMessage(chatId, each)
    }
  }
}
