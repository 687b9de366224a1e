import { isStorageError } from '../../core/errors.ts'
import { KeepAlive } from '../../core/keep-alive.ts'
import type { Item } from '../../core/merge.ts'
import type { StrategicStorageManager } from '../../store/strategic-storage-manager.ts'
import { markerOf } from '../branches/fork-marker.ts'
import { decodeMessage, isMessageText } from '../codec.ts'
import { parseConversationKey } from '../keys.ts'
import type { ChatMessage } from '../message.ts'
import { showMessages, type ReadItem } from '../streams/partial-reader.ts'
import type { ChangeEvent, Changes } from './change.ts'
import type { Buffered, ChangeBuffer } from './change-buffer.ts'
import { ahead, behind } from './mark.ts'
import type { ProviderName } from '../providers/shapes.ts'

/** Takes changes from their buffer and decodes their messages. */
export class ChangeStream<Extras extends object | ProviderName = {}> implements Changes<Extras> {
  readonly #store: StrategicStorageManager
  readonly #buffer: ChangeBuffer
  readonly #onClose: () => void
  #cursor: string | undefined

  constructor(store: StrategicStorageManager, buffer: ChangeBuffer, onClose: () => void) {
    this.#store = store
    this.#buffer = buffer
    this.#onClose = onClose
  }

  get cursor(): string | undefined {
    return this.#cursor
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async next(): Promise<IteratorResult<ChangeEvent<Extras>, void>> {
    return await KeepAlive.of(this.#store.env).during(async () => {
      for (;;) {
        const taken = await this.#buffer.take()
        if (taken === undefined) return { done: true, value: undefined }
        const change = await this.#changeOf(taken)
        if (change === undefined) continue
        this.#cursor = change.cursor
        return { done: false, value: change }
      }
    })
  }

  close(): void {
    this.#buffer.abandon()
    this.#onClose()
  }

  async return(): Promise<IteratorResult<ChangeEvent<Extras>, void>> {
    this.close()
    return await Promise.resolve({ done: true, value: undefined })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return()
  }

  async #changeOf({ key, change, cursor }: Buffered): Promise<ChangeEvent<Extras> | undefined> {
    const conversationId = key === undefined ? undefined : parseConversationKey(key)?.conversationId
    if (conversationId === undefined) return { type: 'ready', cursor }
    if (!('item' in change)) return { ...change, conversationId, cursor }
    const { type, item } = change
    const { position } = item
    // A fork begins, or was cut: what it shares is not in its own list.
    if (markerOf(item) !== undefined) return { type: 'resync', conversationId, cursor }
    try {
      const message = await this.#decode(key!, item)
      return message && { type, conversationId, message, position, cursor }
    } catch (error) {
      if (!isStorageError(error)) throw error
      if (error.code === 'CLOSED') return undefined
      // Whoever reads it learns what is wrong with it.
      const [after, before] = [ahead(position), behind(position)]
      const range = { ...(after && { after }), ...(before && { before }) }
      return { type: 'resync', conversationId, ...range, cursor }
    }
  }

  /** Undefined when it was cleared meanwhile. */
  async #decode(key: string, item: Item): Promise<ChatMessage<Extras> | undefined> {
    const decode = (each: Item): ReadItem => ({ item: each, message: decodeMessage(each)! })
    const read = await this.#store.decodeItems(key, [item], decode, isMessageText)
    const { shown } = await showMessages(this.#store, key, read)
    return shown[0]?.message as ChatMessage<Extras> | undefined
  }
}
