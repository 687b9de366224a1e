import { hash } from 'node:crypto'
import { encodeMessage } from '../../chat/codec.ts'
import { isStorageError, messageOf } from '../../core/errors.ts'
import { checkText, CONVERSATION_ID_BYTES_MAX, MESSAGE_ID_BYTES_MAX } from '../../core/limits.ts'
import { BadLine } from '../jsonl/bad-line.ts'
import { recordFields } from '../jsonl/record-fields.ts'
import { importId } from '../jsonl/import-id.ts'
import type { IdentifiedMessage } from '../jsonl/import-message.ts'
import type { ImportedConversation, RefusedMessage } from '../jsonl/parse-conversation.ts'
import { isFields, withField, present } from './fields.ts'
import { isLeftOut, type Draft, type Fields, type Format, type SourceNode } from './format.ts'
import { pathsOf, type Path } from './paths-of.ts'

/** Most messages of a conversation in another program's form. */
export const CONVERSATION_MESSAGES_MAX = 1_000_000

/** What of the file's conversation became of it in the store's form. */
export interface Translation {
  /** The active path, then a conversation for each branch. */
  readonly conversations: readonly ImportedConversation[]
  readonly refused: readonly RefusedMessage[]
  /** How many messages were left out, by the reason. */
  readonly leftOut: ReadonlyMap<string, number>
  readonly ignored: readonly string[]
}

/**
 * Makes conversations of one in another program's form. A message that the store does not take is named, and
 * the others are kept.
 *
 * @throws BadLine for what is not in this form.
 */
export function translate(
  value: unknown,
  format: Format,
  givenId: string | undefined,
): Translation {
  const { id, info, nodes, current, ignored } = format.conversation(value)
  if (nodes.length > CONVERSATION_MESSAGES_MAX) {
    throw new BadLine(
      `has ${nodes.length} messages, at most ${CONVERSATION_MESSAGES_MAX} are allowed`,
    )
  }
  const { messages, refused, leftOut } = new Messages(format).read(nodes)
  const conversationId =
    givenId ?? (isTextFor(id, CONVERSATION_ID_BYTES_MAX) ? id : idOf(format, messages.values()))
  return {
    conversations: conversationsOf(conversationId, info, pathsOf(nodes, current), messages),
    refused,
    leftOut,
    ignored,
  }
}

interface Read {
  readonly message: IdentifiedMessage
  /** As it would be stored, by which conversations without an id are told apart. */
  readonly text: string
}

type ReadMessages = ReadonlyMap<SourceNode, Read>

class Messages {
  readonly #format: Format
  readonly #read = new Map<SourceNode, Read>()
  readonly #ids = new Map<string, number>()
  readonly #refused: RefusedMessage[] = []
  readonly #leftOut = new Map<string, number>()

  constructor(format: Format) {
    this.#format = format
  }

  read(nodes: readonly SourceNode[]): {
    readonly messages: ReadMessages
    readonly refused: readonly RefusedMessage[]
    readonly leftOut: ReadonlyMap<string, number>
  } {
    nodes.forEach((node, index) => {
      if (node.raw === undefined) return
      try {
        this.#take(node, index)
      } catch (error) {
        this.#refused.push({ index, ...named(node), reason: reasonOf(error) })
      }
    })
    return { messages: this.#read, refused: this.#refused, leftOut: this.#leftOut }
  }

  #take(node: SourceNode, index: number): void {
    if (!isFields(node.raw)) throw new BadLine('message must be an object')
    const draft = this.#format.message(node.raw, index)
    if (isLeftOut(draft)) {
      this.#leftOut.set(draft.leftOut, (this.#leftOut.get(draft.leftOut) ?? 0) + 1)
      return
    }
    const id = messageId(node, draft, index)
    const first = this.#ids.get(id)
    if (first !== undefined) throw new BadLine(`message has the id of message ${first}`)
    const message = { id, ...draft } as object as IdentifiedMessage
    const text = encodeMessage(message)
    this.#ids.set(id, index)
    this.#read.set(node, { message, text })
  }
}

function named({ id }: SourceNode): { readonly id?: string } {
  return isTextFor(id, MESSAGE_ID_BYTES_MAX) ? { id } : {}
}

function messageId({ id }: SourceNode, draft: Draft, index: number): string {
  if (typeof id === 'number' && Number.isSafeInteger(id)) return `${id}`
  if (isTextFor(id, MESSAGE_ID_BYTES_MAX)) return id
  return importId({ index, dated: draft['createdAt'] !== undefined })
}

/** @returns why the store does not take the message, for what is the file's fault; throws the rest. */
function reasonOf(error: unknown): string {
  if (error instanceof BadLine || isStorageError(error, 'INVALID_ARGUMENT')) return error.message
  // A recursion that found no end: arguments of a call are written as text before their depth is looked at.
  if (error instanceof RangeError) return `message is nested too deeply: ${messageOf(error)}`
  throw error
}

function isTextFor(value: unknown, bytesMax: number): value is string {
  try {
    checkText('id', value, bytesMax)
    return true
  } catch (error) {
    if (isStorageError(error, 'INVALID_ARGUMENT')) return false
    throw error
  }
}

/** The same messages make the same id, so that an import can be repeated. */
function idOf(format: Format, messages: Iterable<Read>): string {
  const parts = Array.from(messages, ({ message, text }) => `${message.id}\n${text}\n`)
  return `${format.name}-${shortHash(parts.join(''))}`
}

function shortHash(text: string): string {
  return hash('sha256', text, 'hex').slice(0, 32)
}

function conversationsOf(
  conversationId: string,
  info: Fields,
  paths: readonly Path[],
  messages: ReadMessages,
): ImportedConversation[] {
  const homes = new Map<SourceNode, Home>()
  const conversations: ImportedConversation[] = []
  paths.forEach(({ nodes, after }) => {
    const above = after === undefined ? undefined : homes.get(after)
    const read = nodes.flatMap((node) => messages.get(node) ?? []).map(({ message }) => message)
    const isMain = conversations.length === 0
    const id = isMain ? conversationId : branchId(conversationId, read[0]?.id ?? '')
    let last = above
    for (const node of nodes) {
      const message = messages.get(node)?.message
      if (message !== undefined) last = { conversationId: id, messageId: message.id }
      if (last !== undefined) homes.set(node, last)
    }
    // Nodes without a message, such as the root, are no branch. An active path without one is a conversation.
    if (read.length === 0 && (!isMain || paths.length > 1)) return
    const about = isMain ? info : { ...info, branchOf: above ?? { conversationId } }
    const { record } = recordFields(present({ title: info['title'], createdAt: info['createdAt'] }))
    const known = record === undefined ? {} : { record }
    conversations.push({
      conversationId: id,
      messages: withAbout(read, about),
      ...known,
      ignored: [],
      ...(!isMain && above !== undefined && { branchOf: above }),
    })
  })
  return conversations
}

/** The conversation and message that a node is at, or behind if it has none itself. */
interface Home {
  readonly conversationId: string
  readonly messageId: string
}

function branchId(conversationId: string, first: string): string {
  const id = `${conversationId}/branch/${first}`
  return isTextFor(id, CONVERSATION_ID_BYTES_MAX) ? id : `branch-${shortHash(id)}`
}

/** All that is known of the conversation stays with its first message; its record has title and time. */
function withAbout(messages: readonly IdentifiedMessage[], about: Fields): IdentifiedMessage[] {
  const [first, ...others] = messages
  if (first === undefined || Object.keys(about).length === 0) return [...messages]
  const metadata = withField(first.metadata ?? {}, 'conversation', about)
  return [{ ...first, metadata }, ...others]
}
