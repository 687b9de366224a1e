import { checkText, MESSAGE_ID_BYTES_MAX } from '../core/limits.ts'
import { checkSignal } from '../backend/check-signal.ts'
import { invalid } from '../core/errors.ts'
import { itemStamp, itemValue, type Item } from '../core/merge.ts'
import type { Resolved } from '../core/options.ts'
import type { Stamp } from '../core/stamp.ts'
import type { StrategicStorageManager } from '../store/strategic-storage-manager.ts'
import type { ConversationView, ViewFound, ViewItem } from './branches/conversation-view.ts'
import { decodeMessage, isMessageText } from './codec.ts'
import {
  ConversationPages,
  placed,
  type PagesQuery,
  type PlacedPage,
} from './conversation-pages.ts'
import { parseCursor } from './cursor.ts'
import type { HISTORY } from './history-options.ts'
import { parseConversationKey } from './keys.ts'
import type { ChatMessage, HistoryPage } from './message.ts'
import type { ProviderName } from './providers/shapes.ts'
import type { Sessions } from './sessions.ts'
import type { Streams } from './streams/streams.ts'
import type { ShownMessage } from './streams/partial-reader.ts'
import { readAlignedPage } from './turns/aligned-page.ts'
import { findOpenCalls, type FIND_OPTIONS, type OpenCalls } from './turns/dangling-tool-calls.ts'
import type { MessageEntry } from './updates/update-options.ts'
import { readWindow } from './window/read-window.ts'
import type { HistoryWindow, ResolvedWindow } from './window/window-options.ts'

/** A page, in the order asked for. */
interface PlainPage<Extras extends object | ProviderName> {
  readonly messages: ChatMessage<Extras>[]
  readonly items: readonly Item[]
  readonly next: Stamp | undefined
  readonly complete: boolean
}

/** Reads of messages: what `ChatHistory` makes of its calls. */
export class ConversationReader<Extras extends object | ProviderName = {}> {
  readonly #store: StrategicStorageManager
  readonly #view: ConversationView
  readonly #sessions: Sessions | undefined
  readonly #streams: Streams<Extras>

  constructor(
    store: StrategicStorageManager,
    view: ConversationView,
    sessions: Sessions | undefined,
    streams: Streams<Extras>,
  ) {
    this.#store = store
    this.#view = view
    this.#sessions = sessions
    this.#streams = streams
  }

  async page(
    conversationId: string,
    { session, limit, before, after, order, alignTurns }: Resolved<typeof HISTORY>,
  ): Promise<HistoryPage<Extras>> {
    const isForward = order === 'oldest' || (order === undefined && after !== undefined)
    const query: PagesQuery = {
      limit,
      order: isForward ? 'oldest' : 'newest',
      ...(before !== undefined && { before: parseCursor('before', before) }),
      ...(after !== undefined && { after: parseCursor('after', after) }),
    }
    return await this.#since(session, async () => {
      const page = await this.#page(conversationId, query, alignTurns)
      const { messages, items, next, complete } = page
      if (!isForward && order === undefined) messages.reverse()
      return {
        messages,
        complete,
        ...(next !== undefined && { nextCursor: next }),
        ...this.#sessions?.ofRead(items),
      }
    })
  }

  async window(
    conversationId: string,
    options: ResolvedWindow<Extras>,
  ): Promise<HistoryWindow<Extras>> {
    const { session, signal } = options
    return await this.#since(session, async () => {
      const pages = this.#pages(conversationId, signal)
      const { window, items } = await readWindow(pages, options as ResolvedWindow)
      return { ...(window as HistoryWindow<Extras>), ...this.#sessions?.ofRead(items) }
    })
  }

  /** The tool calls without results among the latest messages. */
  async openCalls(
    conversationId: string,
    { limit, session, signal }: Resolved<typeof FIND_OPTIONS>,
  ): Promise<OpenCalls> {
    return await this.#since(session, async () => {
      const { items, found } = await findOpenCalls(this.#pages(conversationId, signal), limit)
      return { ...found, ...this.#sessions?.ofRead(items) }
    })
  }

  /** One message, or nothing of it; removed ones too. */
  async find(conversationId: string, id: string): Promise<ViewFound> {
    checkText('id', id, MESSAGE_ID_BYTES_MAX)
    return await this.#view.find(conversationId, id)
  }

  /** One message as it is shown: undefined when there is none, or when it was removed. */
  async message(conversationId: string, id: string): Promise<ChatMessage<Extras> | undefined> {
    return (await this.entry(conversationId, id))?.message
  }

  /** The same with the stamp of what was read: a second read may be of a place that lacks something. */
  async entry(conversationId: string, id: string): Promise<MessageEntry<Extras> | undefined> {
    const { key, item } = await this.find(conversationId, id)
    if (item === undefined) return undefined
    const { shown } = await this.#shown(conversationId, [{ key, item }])
    const message = shown[0]?.message as ChatMessage<Extras> | undefined
    return message && { message, position: item.position, stamp: itemStamp(item) }
  }

  /** Those of these messages that are shown; with `ownOnly` without those that another conversation has. */
  async messagesOf(
    conversationId: string,
    ids: readonly string[],
    ownOnly: boolean,
  ): Promise<{ readonly messages: readonly ChatMessage<Extras>[]; readonly complete: boolean }> {
    const { found, complete } = await this.#view.findMany(conversationId, ids)
    const wanted = [...found.values()].filter(({ isShared }) => !isShared || !ownOnly)
    const read = await this.#shown(conversationId, wanted)
    const messages = read.shown.map(({ message }) => message as ChatMessage<Extras>)
    return { messages, complete: complete && read.complete }
  }

  /** A message that was found elsewhere, as it is shown. */
  async shown(key: string, item: Item): Promise<ChatMessage<Extras> | undefined> {
    const conversationId = parseConversationKey(key)?.conversationId ?? ''
    const { shown } = await this.#shown(conversationId, [{ key, item }])
    return shown[0]?.message as ChatMessage<Extras> | undefined
  }

  async #page(
    conversationId: string,
    query: PagesQuery,
    alignTurns: boolean,
  ): Promise<PlainPage<Extras>> {
    if (alignTurns) {
      const { messages, ...rest } = await readAlignedPage(this.#pages(conversationId), query)
      const items = messages.map(({ item }) => item)
      return {
        messages: messages.map(({ message }) => message as ChatMessage<Extras>),
        items,
        ...rest,
      }
    }
    const { items, next, complete } = await this.#view.page(conversationId, query)
    const read = await this.#shown(conversationId, items)
    const messages = read.shown.map(({ message }) => message as ChatMessage<Extras>)
    return {
      messages,
      items: items.map(({ item }) => item),
      next,
      complete: complete && read.complete,
    }
  }

  #pages(conversationId: string, signal?: AbortSignal): ConversationPages {
    const read = async (query: PagesQuery): Promise<PlacedPage> => {
      checkSignal(signal)
      const { items, next, complete } = await this.#view.page(conversationId, query)
      const read = await this.#shown(conversationId, items)
      return { messages: read.shown.map(placed), next, complete: complete && read.complete }
    }
    return new ConversationPages(read)
  }

  /** Without those that are not visible; those that are being written as far as they have come. */
  async #shown(
    conversationId: string,
    items: readonly ViewItem[],
  ): Promise<{ readonly shown: readonly ShownMessage[]; readonly complete: boolean }> {
    const visible = items.filter(({ item }) => itemValue(item) !== undefined)
    const shown: ShownMessage[] = []
    let complete = true
    // Of a fork some are in other lists: those that stand together are decoded together.
    for (let start = 0; start < visible.length;) {
      const { key } = visible[start]!
      let end = start + 1
      while (visible[end]?.key === key) end++
      const run = visible.slice(start, end).map(({ item }) => item)
      const decode = (item: Item): ShownMessage => ({ item, message: decodeMessage(item)! })
      const read = await this.#store.decodeItems(key, run, decode, isMessageText)
      // What is shared is being written in the conversation that it is shared from.
      const source = parseConversationKey(key)?.conversationId ?? conversationId
      const partial = await this.#streams.readerOf(source).show(read)
      shown.push(...partial.shown)
      complete &&= partial.complete
      start = end
    }
    return { shown, complete }
  }

  /** The read, repeated until it has all that the token stands for. */
  async #since<Answer extends { readonly complete: boolean }>(
    session: string | undefined,
    read: () => Promise<Answer>,
  ): Promise<Answer> {
    if (session === undefined) return await read()
    if (this.#sessions === undefined) throw invalid('session needs the option sessionSecret')
    return await this.#sessions.read(session, read)
  }
}
