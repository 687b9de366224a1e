import { encodeMessage } from '../../chat/codec.ts'
import type { NewConversation } from '../../chat/records/record-options.ts'
import { isStorageError, messageOf } from '../../core/errors.ts'
import { parseJson } from '../../core/json.ts'
import { checkText, CONVERSATION_ID_BYTES_MAX, MESSAGE_ID_BYTES_MAX } from '../../core/limits.ts'
import { BadLine } from './bad-line.ts'
import { importMessage, type IdentifiedMessage } from './import-message.ts'
import { inexactNumber } from './inexact-number.ts'
import { recordFields } from './record-fields.ts'

export interface ImportedConversation {
  readonly conversationId: string
  /** Their ids are all different. */
  readonly messages: readonly IdentifiedMessage[]
  /** Title, owner and the like, where the line has them. */
  readonly record?: NewConversation
  /** Names of the line's other fields, which have no place in the store. */
  readonly ignored: readonly string[]
  /** The message of another conversation that this one goes on from: it becomes a fork of that one. */
  readonly branchOf?: { readonly conversationId: string; readonly messageId: string }
}

/** A message that the store would not take as it is. The conversation goes without it. */
export interface RefusedMessage {
  /** 0-based, in its conversation. */
  readonly index: number
  readonly id?: string
  readonly reason: string
}

export interface ParsedConversation extends ImportedConversation {
  readonly refused: readonly RefusedMessage[]
}

/**
 * One line of an import file in our own form. Each message is stored as it is, or refused and named.
 *
 * @throws BadLine when there is nothing that could be stored exactly.
 */
export function parseConversation(text: string): ParsedConversation {
  return conversationOf(parse(text), text)
}

/**
 * The same of a text that is parsed already.
 *
 * @throws BadLine
 */
export function conversationOf(value: unknown, text: string): ParsedConversation {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new BadLine('must be an object with conversationId and messages')
  }
  const { conversationId, messages, ...others } = value as Record<string, unknown>
  try {
    checkText('conversationId', conversationId, CONVERSATION_ID_BYTES_MAX)
  } catch (error) {
    throw new BadLine(reasonOf(error))
  }
  if (!Array.isArray(messages)) throw new BadLine('messages must be an array')
  const number = inexactNumber(text)
  if (number !== undefined) {
    throw new BadLine(`has the number ${number}, which JavaScript cannot keep exactly`)
  }
  const { record, ignored } = recordFields(others)
  return {
    conversationId,
    ...importMessages(messages),
    ...(record !== undefined && { record }),
    ignored,
  }
}

/** @throws BadLine */
export function parse(text: string): unknown {
  try {
    return parseJson(text)
  } catch (error) {
    throw new BadLine(`is not JSON: ${messageOf(error)}`)
  }
}

/** The store's own checks, before the first message is saved. */
function importMessages(
  values: readonly unknown[],
): Pick<ParsedConversation, 'messages' | 'refused'> {
  const seen = new Map<string, number>()
  const messages: IdentifiedMessage[] = []
  const refused: RefusedMessage[] = []
  values.forEach((value, index) => {
    try {
      const message = importMessage(value, index)
      checkText('message.id', message.id, MESSAGE_ID_BYTES_MAX)
      encodeMessage(message, 'message', 'item')
      const first = seen.get(message.id)
      if (first !== undefined) throw new BadLine(`message has the id of message ${first}`)
      seen.set(message.id, index)
      messages.push(message)
    } catch (error) {
      refused.push({ index, reason: reasonOf(error) })
    }
  })
  return { messages, refused }
}

/** A caller's mistake in a file is a reason to refuse a part of it. */
function reasonOf(error: unknown): string {
  if (error instanceof BadLine || isStorageError(error, 'INVALID_ARGUMENT')) return error.message
  throw error
}
