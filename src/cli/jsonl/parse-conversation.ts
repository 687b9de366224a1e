import { encodeMessage } from '../../chat/codec.ts'
import { isStorageError, messageOf } from '../../core/errors.ts'
import { parseJson } from '../../core/json.ts'
import { checkText, CONVERSATION_ID_BYTES_MAX, MESSAGE_ID_BYTES_MAX } from '../../core/limits.ts'
import { BadLine } from './bad-line.ts'
import { importMessage, type IdentifiedMessage } from './import-message.ts'
import { inexactNumber } from './inexact-number.ts'

export interface ImportedConversation {
  readonly conversationId: string
  /** Their ids are all different. */
  readonly messages: readonly IdentifiedMessage[]
  /** Names of the line's other fields, which have no place in the store. */
  readonly ignored: readonly string[]
}

/**
 * One line of an import file. Either all of it can be stored as it is, or it is a bad line.
 *
 * @throws BadLine
 */
export function parseConversation(text: string): ImportedConversation {
  const value = parse(text)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new BadLine('must be an object with conversationId and messages')
  }
  const { conversationId, messages, ...others } = value as Record<string, unknown>
  check(() => checkText('conversationId', conversationId, CONVERSATION_ID_BYTES_MAX))
  if (!Array.isArray(messages)) throw new BadLine('messages must be an array')
  const number = inexactNumber(text)
  if (number !== undefined) {
    throw new BadLine(`has the number ${number}, which JavaScript cannot keep exactly`)
  }
  const imported = messages.map((message: unknown, index) => importMessage(message, index))
  checkMessages(imported)
  return {
    conversationId: conversationId as string,
    messages: imported,
    ignored: Object.keys(others),
  }
}

function parse(text: string): unknown {
  try {
    return parseJson(text)
  } catch (error) {
    throw new BadLine(`is not JSON: ${messageOf(error)}`)
  }
}

/** The store's own checks, before the first message is saved: a line is taken whole or not at all. */
function checkMessages(messages: readonly IdentifiedMessage[]): void {
  const seen = new Map<string, number>()
  messages.forEach((message, index) => {
    const { id } = message
    check(() => checkText(`message ${index}.id`, id, MESSAGE_ID_BYTES_MAX))
    check(() => encodeMessage(message, `message ${index}`))
    const first = seen.get(id)
    if (first !== undefined) throw new BadLine(`message ${index} has the id of message ${first}`)
    seen.set(id, index)
  })
}

/** A caller's mistake in a file is a bad line. */
function check(action: () => void): void {
  try {
    action()
  } catch (error) {
    if (isStorageError(error, 'INVALID_ARGUMENT')) throw new BadLine(error.message)
    throw error
  }
}
