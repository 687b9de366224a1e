import type { ChangeEvent, Changes } from '../../src/chat/changes/change.ts'
import type { ChatHistory } from '../../src/chat/chat-history.ts'
import { conversationKey } from '../../src/chat/keys.ts'
import { isStorageError } from '../../src/core/errors.ts'
import { itemValue, type Item } from '../../src/core/merge.ts'
import type { ItemsRead } from '../../src/strategy/read/read-port.ts'
import type {
  MirroredConversation,
  ShownMessage,
} from '../../src/testing/history-checker/history.ts'

/** More than a program saves. */
const EVERYTHING = 1_000
const POLL_MS = 20
const LOOK_EVERY_MS = 50
/** Longest that it may take until a consumer knows what is there, when nothing happens any more. Milliseconds. */
const SETTLE_MS_MAX = 30_000

/** A consumer of a conversation's changes who keeps its messages as the documents say. */
class Mirror {
  readonly #history: ChatHistory
  readonly #conversation: string
  readonly #shown = new Map<string, ShownMessage>()
  /** What was told since it last began, or read again, but for what was told to be gone: by id. */
  readonly #told = new Map<string, Set<string>>()
  readonly #doubled: string[] = []
  #changes: Changes | undefined
  #cursor: string | undefined

  constructor(history: ChatHistory, conversation: string) {
    this.#history = history
    this.#conversation = conversation
  }

  /** Begins, or goes on with the last cursor. */
  follow(): void {
    this.#changes?.close()
    this.#told.clear()
    const changes = this.#history.subscribe({
      conversationId: this.#conversation,
      since: this.#cursor ?? 'beginning',
      pollInterval: POLL_MS,
    })
    this.#changes = changes
    void this.#take(changes)
  }

  /** What it shows once that is what is there, or at last. */
  async settled(): Promise<MirroredConversation> {
    for (let waitedMs = 0; ; waitedMs += LOOK_EVERY_MS) {
      const { items, complete } = await this.#read()
      const there = items.map(shownOf)
      const told = [...this.#shown.values()].sort((a, b) => (a.position! < b.position! ? -1 : 1))
      const isSame = complete && JSON.stringify(told) === JSON.stringify(there)
      if (isSame || waitedMs > SETTLE_MS_MAX) {
        this.#changes?.close()
        return { told, there, doubled: this.#doubled }
      }
      await this.#history.store.pause(LOOK_EVERY_MS)
    }
  }

  async #take(changes: Changes): Promise<void> {
    for await (const change of changes) {
      if (changes !== this.#changes) return
      await this.#keep(change)
      this.#cursor = change.cursor
    }
  }

  async #keep(change: ChangeEvent): Promise<void> {
    switch (change.type) {
      case 'message':
      case 'updated': {
        const { id, content } = change.message as { id: string; content: string }
        const message = { id, content, position: change.position }
        const text = JSON.stringify(message)
        const told = this.#told.get(id) ?? new Set()
        if (change.type === 'message' && told.has(text)) this.#doubled.push(text)
        this.#told.set(id, told.add(text))
        this.#shown.set(id, message)
        return
      }
      case 'removed':
        this.#told.delete(change.id)
        this.#shown.delete(change.id)
        return
      case 'cleared':
        this.#forget((position) => position <= change.through)
        return
      case 'resync':
        return await this.#readAgain(change.after ?? '', change.before ?? 'g')
      case 'ready':
        return
    }
  }

  async #readAgain(after: string, before: string): Promise<void> {
    const isWithin = (position: string): boolean => position > after && position < before
    for (;;) {
      try {
        const { items } = await this.#read()
        this.#told.clear()
        this.#forget(isWithin)
        for (const item of items)
          if (isWithin(item.position)) this.#shown.set(item.id, shownOf(item))
        return
      } catch (error) {
        if (!isStorageError(error) || error.code === 'CLOSED') throw error
        await this.#history.store.pause(LOOK_EVERY_MS)
      }
    }
  }

  #forget(isGone: (position: string) => boolean): void {
    for (const [id, { position }] of this.#shown) if (isGone(position!)) this.#shown.delete(id)
  }

  async #read(): Promise<ItemsRead> {
    const key = conversationKey('', this.#conversation)
    return await this.#history.store.readItems({ key, limit: EVERYTHING, order: 'oldest' })
  }
}

const mirrors = new WeakMap<ChatHistory, Map<string, Mirror>>()

/** Begins to follow the conversation with this store, or goes on with the last cursor. */
export function followWith(history: ChatHistory, conversation: string): void {
  let known = mirrors.get(history)
  if (known === undefined) mirrors.set(history, (known = new Map()))
  let mirror = known.get(conversation)
  if (mirror === undefined) known.set(conversation, (mirror = new Mirror(history, conversation)))
  mirror.follow()
}

/** What its consumer shows at the end; undefined where nobody follows. */
export async function settledMirror(
  history: ChatHistory,
  conversation: string,
): Promise<MirroredConversation | undefined> {
  return await mirrors.get(history)?.get(conversation)?.settled()
}

function shownOf(item: Item): ShownMessage {
  const { content } = JSON.parse(itemValue(item)!) as { content: string }
  return { id: item.id, content, position: item.position }
}
