import { isDeepStrictEqual } from 'node:util'
import type { ChatMessage } from '../../chat/message.ts'
import type { IdentifiedMessage } from '../jsonl/import-message.ts'

/**
 * True when a stored message says what the given one says. A time that the given one leaves open
 * may be any: an export of a store must be recognised when it is imported into it again.
 */
export function sameMessage(given: IdentifiedMessage, stored: ChatMessage): boolean {
  const open = given.createdAt === undefined
  return isDeepStrictEqual(fields(given, open), fields(stored, open))
}

function fields(message: object, open: boolean): Map<string, unknown> {
  return new Map(Object.entries(message).filter(([name]) => !(open && name === 'createdAt')))
}

/**
 * True when the two differ only in what an import has put into `metadata.conversation`: the title of a conversation,
 * say, that was renamed between two exports.
 */
export function sameButForConversation(given: IdentifiedMessage, stored: ChatMessage): boolean {
  return sameMessage(
    withoutConversation(given) as IdentifiedMessage,
    withoutConversation(stored) as ChatMessage,
  )
}

function withoutConversation(message: IdentifiedMessage): object {
  const { metadata, ...rest } = message
  const { conversation: _conversation, ...others } = metadata ?? {}
  return Object.keys(others).length > 0 ? { ...rest, metadata: others } : rest
}
