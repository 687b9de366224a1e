import { BaseListChatMessageHistory } from '@langchain/core/chat_history'
import {
  mapStoredMessagesToChatMessages,
  type BaseMessage,
  type StoredMessage,
} from '@langchain/core/messages'
import type { ChatHistory } from '../chat/chat-history.ts'
import { conversationKey } from '../chat/keys.ts'
import { invalid } from '../core/errors.ts'
import { parseJson } from '../core/json.ts'
import { checkArray, checkObject } from '../core/limits.ts'
import { needed, text } from '../core/option-kinds.ts'
import { resolve, type OptionTable } from '../core/options.ts'

/** Of which conversation. */
export interface EverthreadChatMessageHistoryOptions {
  /** The id of the conversation, at most 512 bytes. */
  readonly sessionId: string
}

const OPTIONS: OptionTable<EverthreadChatMessageHistoryOptions> = { sessionId: needed(text(512)) }

/**
 * What a message may be given after it was made, or keeps by another name: LangChain's own form of stored messages
 * lacks a later `id`, and the content of one that was made of `contentBlocks`.
 */
const FIELDS = [
  'content',
  'id',
  'name',
  'role',
  'additional_kwargs',
  'response_metadata',
  'tool_calls',
  'invalid_tool_calls',
  'usage_metadata',
  'tool_call_id',
  'status',
  'artifact',
  'metadata',
] as const

/** What LangChain makes messages of; one that is `remove` says something of another message. */
const TYPES = ['human', 'ai', 'system', 'tool', 'function', 'generic']

type Fields = Readonly<Record<string, unknown>>

/**
 * The messages of one conversation of a `ChatHistory` as LangChain has them; stored as its stored messages, `{ type,
 * data }`. Every method rejects with a `StorageError`.
 */
export class EverthreadChatMessageHistory extends BaseListChatMessageHistory {
  override lc_namespace: string[] = ['everthread', 'langchain']
  readonly #history: ChatHistory
  readonly #id: string

  /** The history is opened and closed by the caller. */
  constructor(history: ChatHistory, options: EverthreadChatMessageHistoryOptions) {
    super()
    checkObject('history', history)
    const { sessionId } = resolve('', options, OPTIONS)
    conversationKey(history.tenant, sessionId)
    this.#history = history
    this.#id = sessionId
  }

  /**
   * All messages, oldest first, made anew with every call. Those that somebody else saved are made messages of
   * LangChain; items that no message can be are left out.
   */
  override async getMessages(): Promise<BaseMessage[]> {
    const stored: StoredMessage[] = []
    for await (const message of this.#history.messages(this.#id)) {
      const read = storedOf(message as object as Fields)
      if (read !== undefined) stored.push(read)
    }
    return mapStoredMessagesToChatMessages(stored)
  }

  override async addMessage(message: BaseMessage): Promise<void> {
    await this.addMessages([message])
  }

  /** Adds up to 1,000 messages at the end, all or nothing at each place. */
  override async addMessages(messages: BaseMessage[]): Promise<void> {
    checkArray('messages', messages)
    await this.#history.saveItems(this.#id, messages.map(itemOf))
  }

  /** Removes all messages for good. */
  override async clear(): Promise<void> {
    await this.#history.clearHistory(this.#id)
  }
}

function itemOf(message: BaseMessage, i: number): { type: string; data: Fields } {
  const { type, data } = message.toDict()
  if (!TYPES.includes(type)) {
    throw invalid(`messages[${i}] must be one of ${TYPES.join(', ')}, got ${type}`)
  }
  const { content_blocks: _blocks, ...named } = data as object as Fields
  const own = FIELDS.map((field) => [field, (message as object as Fields)[field]] as const)
  const set = own.filter(([, value]) => value !== undefined)
  return { type, data: { ...named, ...Object.fromEntries(set) } }
}

/** Undefined for what is no message. */
function storedOf({ type, data, role, content, ...rest }: Fields): StoredMessage | undefined {
  if (typeof type === 'string' && TYPES.includes(type) && typeof data === 'object') {
    return { type, data } as StoredMessage
  }
  const said = {
    content: content ?? '',
    ...(typeof rest['name'] === 'string' && { name: rest['name'] }),
  }
  switch (role) {
    case 'user':
      return { type: 'human', data: said } as object as StoredMessage
    case 'assistant':
      return { type: 'ai', data: { ...said, tool_calls: callsOf(rest['toolCalls']) } } as never
    case 'system':
    case 'developer':
      return { type: 'system', data: said } as object as StoredMessage
    case 'tool':
      return { type: 'tool', data: { ...said, tool_call_id: rest['toolCallId'] ?? '' } } as never
    default:
      return undefined
  }
}

/** Calls in the form of Chat Completions. */
function callsOf(calls: unknown): object[] {
  if (!Array.isArray(calls)) return []
  return (calls as { id?: string; function?: { name?: string; arguments?: string } }[]).flatMap(
    ({ id, function: { name, arguments: args = '{}' } = {} }) => {
      try {
        return [{ type: 'tool_call', id, name, args: parseJson(args) }]
      } catch {
        return []
      }
    },
  )
}
