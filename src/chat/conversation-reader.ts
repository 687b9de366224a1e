import { checkText, MESSAGE_ID_BYTES_MAX } from '../core/limits.ts'
import { checkSignal } from '../backend/check-signal.ts'
import { invalid } from '../core/errors.ts'
import { itemValue, type Item } from '../core/merge.ts'
import type { Resolved } from '../core/options.ts'
import type { Stamp } from '../core/stamp.ts'
import type { StrategicStorageManager } from '../store/strategic-storage-manager.ts'
import { decodeMessage, isMessageText } from './codec.ts'
import {
  ConversationPages,
  placed,
  type PagesQuery,
  type PlacedPage,
} from './conversation-pages.ts'
import { parseCursor } from './cursor.ts'
import type { HISTORY } from './history-options.ts'
import { conversationKey } from './keys.ts'
import type { ChatMessage, HistoryPage } from './message.ts'
import type { ProviderName } from './providers/shapes.ts'
import type { Sessions } from './sessions.ts'
import { readAlignedPage } from './turns/aligned-page.ts'
import { findOpenCalls, type FIND_OPTIONS, type OpenCalls } from './turns/dangling-tool-calls.ts'
import { readWindow } from './window/read-window.ts'
import type { HistoryWindow, ResolvedWindow } from './window/window-options.ts'

/** A message by its id, as it stands. */
export interface FoundItem {
  readonly key: string
  readonly item: Item | undefined
  readonly complete: boolean
}

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
  readonly #tenant: string
  readonly #sessions: Sessions | undefined

  constructor(store: StrategicStorageManager, tenant: string, sessions: Sessions | undefined) {
    this.#store = store
    this.#tenant = tenant
    this.#sessions = sessions
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
  async find(conversationId: string, id: string): Promise<FoundItem> {
    const key = this.#key(conversationId)
    checkText('id', id, MESSAGE_ID_BYTES_MAX)
    const { items, complete } = await this.#store.readItemsById(key, [id])
    return { key, item: items[0], complete }
  }

  /** Without those that are not visible. */
  async decode(key: string, items: readonly Item[]): Promise<ChatMessage<Extras>[]> {
    return await this.#decode(key, items, (_item, message) => message as ChatMessage<Extras>)
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
    const key = this.#key(conversationId)
    const { items, done, complete } = await this.#store.readItems({ key, ...query })
    const next = done ? undefined : items.at(-1)?.position
    return { messages: await this.decode(key, items), items, next, complete }
  }

  #pages(conversationId: string, signal?: AbortSignal): ConversationPages {
    const key = this.#key(conversationId)
    const read = async (query: PagesQuery): Promise<PlacedPage> => {
      checkSignal(signal)
      const { items, done, complete } = await this.#store.readItems({ key, ...query })
      const next = done ? undefined : items.at(-1)?.position
      return { messages: await this.#decode(key, items, placed), next, complete }
    }
    return new ConversationPages(read)
  }

  async #decode<T>(
    key: string,
    items: readonly Item[],
    made: (item: Item, message: ChatMessage) => T,
  ): Promise<T[]> {
    const visible = items.filter((item) => itemValue(item) !== undefined)
    return await this.#store.decodeItems(
      key,
      visible,
      (item) => made(item, decodeMessage(item)!),
      isMessageText,
    )
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

  #key(conversationId: string): string {
    return conversationKey(this.#tenant, conversationId)
  }
}
