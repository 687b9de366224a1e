import type { Item } from '../core/merge.ts'
import type { Stamp } from '../core/stamp.ts'
import type { ItemsQuery } from '../strategy/read/read-port.ts'
import type { ShownMessage } from './streams/partial-reader.ts'
import { toolUseOf, type ToolUse } from './turns/tool-use.ts'
import type { ChatMessage, MessageStatus } from './message.ts'

/** A message with where it stands, and what it says of tools. */
export interface PlacedMessage {
  readonly item: Item
  readonly message: ChatMessage
  readonly use: ToolUse
  /** Set of one that is being written, or that nobody finished. */
  readonly partial?: MessageStatus
  /** What the model thought before it, oldest first: it is shown with it and never alone. */
  readonly led?: readonly PlacedMessage[]
}

/** A page of one conversation. */
export type PagesQuery = Pick<ItemsQuery, 'limit' | 'order' | 'before' | 'after'>

export interface PlacedPage {
  /** In the order asked for. One that was cleared while it was read is left out. */
  readonly messages: readonly PlacedMessage[]
  /** Where the next page goes on. Absent: there is nothing beyond. */
  readonly next: Stamp | undefined
  readonly complete: boolean
}

/** Reads one page of a conversation. */
type ReadPage = (query: PagesQuery) => Promise<PlacedPage>

/** Reads one conversation page by page, and remembers whether every page was complete. */
export class ConversationPages {
  readonly #read: ReadPage
  #complete = true

  constructor(read: ReadPage) {
    this.#read = read
  }

  /** False when some page of those that were read may lack what another process acknowledged. */
  get complete(): boolean {
    return this.#complete
  }

  async page(query: PagesQuery): Promise<PlacedPage> {
    const page = await this.#read(query)
    this.#complete &&= page.complete
    return page
  }

  /** Messages from the latest backwards, at most `max` of them, in pages of these sizes. */
  async *latest({ first, next, max }: PageSizes): AsyncGenerator<Backwards, void, undefined> {
    let before: Stamp | undefined
    for (let read = 0; read < max;) {
      const limit = Math.min(read === 0 ? first : next, max - read)
      const page = await this.page({ limit, order: 'newest', ...(before && { before }) })
      read += limit
      before = page.next
      yield { messages: page.messages, isLast: before === undefined }
      if (before === undefined) return
    }
  }
}

/** Messages of a page, and in all. */
export interface PageSizes {
  readonly first: number
  readonly next: number
  readonly max: number
}

/** One page on the way backwards. */
export interface Backwards {
  /** Latest first. */
  readonly messages: readonly PlacedMessage[]
  /** The conversation begins with the last of them. */
  readonly isLast: boolean
}

/** A message as it was read. */
export function placed(shown: ShownMessage): PlacedMessage {
  return { ...shown, use: toolUseOf(shown.message) }
}
