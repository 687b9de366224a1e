import type { UIMessage, UIMessageChunk } from 'ai'
import type { MessageStream } from '../../chat/streams/message-stream.ts'
import type { StreamDelta } from '../../chat/streams/step.ts'
import { isStorageError } from '../../core/errors.ts'
import type { AnswerParts } from './answer-parts.ts'

/** What `start` of `EverthreadChats` makes an answer of. @internal */
export interface AnswerStreamParts<Message extends UIMessage> {
  readonly id: string
  readonly messages: Message[]
  readonly parts: AnswerParts
  readonly stream: MessageStream
  /** Makes the answer one with the message that it goes on with. */
  readonly onEnd: () => Promise<void>
}

/** An answer that is kept while it comes: what `start` of `EverthreadChats` gives. */
export class AnswerStream<Message extends UIMessage = UIMessage> {
  /** Of the answer: what `generateMessageId` is to return. */
  readonly id: string
  /** The chat as it stands, without the answer: `originalMessages`. */
  readonly messages: Message[]
  readonly #given: AnswerStreamParts<Message>
  readonly #abort = new AbortController()
  /** The model or its caller said that the answer is not whole. */
  #isCut = false

  /** @internal Made by `start` of `EverthreadChats`. */
  constructor(given: AnswerStreamParts<Message>) {
    this.#given = given
    this.id = given.id
    this.messages = given.messages
  }

  /** Aborts when no more of the answer can be kept, or somebody else ended it: pass it to `streamText`. */
  get signal(): AbortSignal {
    return this.#abort.signal
  }

  /**
   * The same chunks, which are kept as they come. Reading goes on when the client is gone; the returned stream ends
   * when the end of the answer is acknowledged, and fails if it is not.
   */
  record(chunks: ReadableStream<UIMessageChunk>): ReadableStream<UIMessageChunk> {
    const [shown, kept] = chunks.tee()
    const ended = this.#keep(kept)
    // It is thrown to whoever still reads.
    ended.catch(() => {})
    return shown.pipeThrough(new TransformStream({ flush: () => ended }))
  }

  /**
   * Takes one chunk, for those that have no stream of them. Resolves as soon as it waits to be stored.
   *
   * @throws StorageError as `append` of a `MessageStream`; `CONFLICT` when somebody else has ended the answer.
   */
  async append(chunk: UIMessageChunk): Promise<void> {
    const { parts, stream } = this.#given
    const { type } = chunk
    if (type === 'abort' || type === 'error') this.#isCut = true
    try {
      for (const delta of parts.take(chunk)) await appendTwice(stream, delta)
    } catch (error) {
      this.#abort.abort(error)
      throw error
    }
  }

  /**
   * Ends the answer. One that was aborted, that failed, or that ends within a part is kept as `incomplete`.
   *
   * @throws StorageError as `finish` of a `MessageStream`. It may be called again.
   */
  async end(): Promise<void> {
    const { parts, stream, onEnd } = this.#given
    const isWhole = !this.#isCut && !parts.isOpen && parts.parts.length > 0
    await (isWhole ? stream.finish() : stream.abort())
    await onEnd()
  }

  async #keep(chunks: ReadableStream<UIMessageChunk>): Promise<void> {
    const reader = chunks.getReader()
    try {
      for (;;) {
        const { done, value } = await reader.read()
        if (done) break
        await this.append(value)
      }
    } catch (error) {
      this.#isCut = true
      if (isStorageError(error)) {
        await reader.cancel(error).catch(() => {})
        // What came before stays, and is not whole.
        await this.end().catch(() => {})
        throw error
      }
    }
    await this.end()
  }
}

/** The first call may tell what a write in the background failed of, and has not taken the delta then. */
async function appendTwice(stream: MessageStream, delta: StreamDelta): Promise<void> {
  try {
    await stream.append(delta)
  } catch (error) {
    if (!isStorageError(error) || error.code === 'INVALID_ARGUMENT') throw error
    await stream.append(delta)
  }
}
