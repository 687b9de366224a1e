import { randomUUID } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type { ChatHistory } from '../../chat/chat-history.ts'
import type { NewMessage } from '../../chat/message.ts'
import { isStorageError } from '../../core/errors.ts'
import { decodeJson, encodeJson } from '../../core/json.ts'
import { checkArray } from '../../core/limits.ts'

/** What is known of a `ModelMessage` here; all other fields are kept as they came. */
export interface ThreadMessage {
  role: 'user' | 'assistant' | 'tool'
  content: unknown
  id?: string
  createdAt?: Date
}

/** Ids of messages that came without one begin so. */
const MADE = 'tanstack-'
/** Messages that are saved in one group. */
const SAVED_AT_ONCE = 500

/** What is stored of a message beside what it came with. */
interface Kept extends Omit<ThreadMessage, 'createdAt'> {
  readonly createdAt?: string
  /** It came with a time. */
  readonly dated?: true
  /** Its own id, where that is taken. */
  readonly messageId?: string
}

interface Standing {
  readonly id: string
  readonly message: ThreadMessage
}

/** The messages of a thread in a conversation. */
export class ThreadMessages {
  readonly #history: ChatHistory
  /** One save of a thread at a time: each compares with what the one before it left. */
  readonly #saving = new Map<string, Promise<void>>()

  constructor(history: ChatHistory) {
    this.#history = history
  }

  async load(threadId: string): Promise<ThreadMessage[]> {
    return (await this.#standing(threadId)).map(({ message }) => message)
  }

  async save(threadId: string, messages: readonly ThreadMessage[]): Promise<void> {
    checkArray('messages', messages)
    const given = messages.map(plain)
    const before = this.#saving.get(threadId) ?? Promise.resolve()
    const saved = before.catch(() => {}).then(() => this.#replace(threadId, given))
    this.#saving.set(threadId, saved)
    try {
      await saved
    } finally {
      if (this.#saving.get(threadId) === saved) this.#saving.delete(threadId)
    }
  }

  /** What is the same stays as it is; what is behind the last message that is still there is cut off. */
  async #replace(threadId: string, given: readonly ThreadMessage[]): Promise<void> {
    const standing = await this.#standing(threadId)
    let kept = 0
    while (kept < standing.length && kept < given.length) {
      const { id, message } = standing[kept]!
      const next = given[kept]!
      if (message.id !== next.id || message.role !== next.role) break
      if (!isDeepStrictEqual(message, next)) {
        await this.#history.updateMessage(threadId, id, toStore(next, id))
      }
      kept++
    }
    const cut = standing[kept]
    if (cut !== undefined) await this.#history.truncate(threadId, { from: cut.id })
    for (let i = kept; i < given.length; i += SAVED_AT_ONCE) {
      await this.#append(threadId, given.slice(i, i + SAVED_AT_ONCE))
    }
  }

  async #append(threadId: string, messages: readonly ThreadMessage[]): Promise<void> {
    const made = (): string => MADE + randomUUID()
    const own = messages.map((message) => toStore(message, message.id ?? made()))
    try {
      await this.#history.saveMessages(threadId, own)
    } catch (error) {
      if (!isStorageError(error, 'CONFLICT') || error.effect !== 'none') throw error
      // An id that was cut off before cannot come back as one of the store's.
      const others = messages.map((message) => toStore(message, made()))
      await this.#history.saveMessages(threadId, others)
    }
  }

  async #standing(threadId: string): Promise<Standing[]> {
    const standing: Standing[] = []
    for await (const stored of this.#history.messages(threadId)) {
      const { role } = stored
      if (role !== 'user' && role !== 'assistant' && role !== 'tool') continue
      standing.push({ id: stored.id, message: shown(stored as object as Kept & { id: string }) })
    }
    return standing
  }
}

/** As it will be read back: without what is undefined, and with a time as what it is. */
function plain(message: ThreadMessage, i: number): ThreadMessage {
  const { createdAt, ...rest } = decodeJson<Kept>(encodeJson(message, `messages[${i}]`))
  return { ...rest, ...(createdAt !== undefined && { createdAt: new Date(createdAt) }) }
}

function toStore({ id: own, createdAt, ...message }: ThreadMessage, id: string): NewMessage {
  const dated = createdAt !== undefined && { createdAt: createdAt.toISOString(), dated: true }
  const other = own !== undefined && own !== id && { messageId: own }
  return { ...message, ...dated, ...other, id } as object as NewMessage
}

function shown({
  id: stored,
  messageId,
  dated,
  createdAt,
  ...message
}: Kept & { id: string }): ThreadMessage {
  const id = messageId ?? (stored.startsWith(MADE) ? undefined : stored)
  return {
    ...message,
    ...(id !== undefined && { id }),
    ...(dated === true && { createdAt: new Date(createdAt!) }),
  }
}
