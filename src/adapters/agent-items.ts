/* Items of the OpenAI Agents SDK as messages of a conversation, and back. */
import type { AgentInputItem } from '@openai/agents-core'
import { invalid } from '../core/errors.ts'
import { checkObject } from '../core/limits.ts'

/** What the store has fields of its own for, as the item has it; with every item that a session stored. */
const KEPT = '$item'

type Fields = Readonly<Record<string, unknown>>

/**
 * What is stored of an item. Its own id and time stand aside: of equal items each gets an id of the store's.
 *
 * @throws StorageError `INVALID_ARGUMENT` for what is no object, or has the field that is needed for this.
 */
export function storedItem(name: string, item: unknown): { type: string } {
  checkObject(name, item)
  if (KEPT in item) throw invalid(`${name} must not have the field ${KEPT}`)
  const { id, createdAt, ...rest } = item as Fields
  const kept = { ...(id !== undefined && { id }), ...(createdAt !== undefined && { createdAt }) }
  return { ...rest, [KEPT]: kept } as object as { type: string }
}

/** The item that a stored message is: as it came, or of a message that no session stored what comes closest. */
export function itemOf(message: object): AgentInputItem {
  const { id: _id, createdAt: _createdAt, [KEPT]: kept, ...rest } = message as Fields
  return (kept === undefined ? spoken(rest) : { ...(kept as Fields), ...rest }) as AgentInputItem
}

/** An assistant's text stands in parts there; all else of ours that can be an item is one as it stands. */
function spoken(message: Fields): object {
  const { role, content } = message
  if (role !== 'assistant' || typeof content !== 'string') return message
  const part = { type: 'output_text', text: content }
  return { type: 'message', role, status: 'completed', content: [part] }
}
