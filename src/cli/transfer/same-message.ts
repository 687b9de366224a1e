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
