/*
 * Items of OpenAI's Responses and Conversations: what a request may leave out is added, and everything else is
 * kept as it came, also fields and types that this release does not know.
 */
import { randomBytes } from 'node:crypto'
import type { AnyItem } from '../../chat/providers/shapes.ts'
import { Refusal } from '../http/refusal.ts'

/** An item as a request has it. */
export type GivenItem = Readonly<Record<string, unknown>>

/** What ids of a type begin with, as at the original. */
const ID_PREFIXES: Readonly<Record<string, string>> = {
  message: 'msg',
  function_call: 'fc',
  function_call_output: 'fco',
  reasoning: 'rs',
}

/** Only in requests: they name what stands, or ask for something. */
const NO_ITEMS = ['item_reference', 'compaction_trigger']

/**
 * The item with a type, and what a message has besides. It has no id yet if it came without one.
 *
 * @throws Refusal 400 for what is no item.
 */
export function itemOf(given: GivenItem, param: string): GivenItem {
  const { type = typeof given['role'] === 'string' ? 'message' : undefined } = given
  if (typeof type !== 'string' || type === '') {
    throw new Refusal(400, `${param} must have a type, or a role`, { param })
  }
  if (NO_ITEMS.includes(type)) {
    throw new Refusal(400, `${param} is of type ${type}, which cannot be kept`, { param })
  }
  const { id } = given
  if (id !== undefined && id !== null && typeof id !== 'string') {
    throw new Refusal(400, `${param}.id must be a string`, { param: `${param}.id` })
  }
  const { id: _id, ...rest } = given
  const item = { ...(typeof id === 'string' && id !== '' && { id }), ...rest, type }
  return type === 'message' ? messageOf(item) : item
}

function messageOf(item: GivenItem): GivenItem {
  const { role, content, status = 'completed' } = item
  if (typeof content !== 'string') return { ...item, status }
  return { ...item, status, content: [partOf(role, content)] }
}

function partOf(role: unknown, text: string): object {
  if (role === 'assistant') return { type: 'output_text', text, annotations: [] }
  return { type: 'input_text', text }
}

/** @param suffix Text that no other item of the conversation has. */
export function itemId(type: unknown, suffix: string): string {
  return `${ID_PREFIXES[String(type)] ?? 'item'}_${suffix}`
}

export function newSuffix(): string {
  return randomBytes(20).toString('hex')
}

/** An item of a page, without what the store added; a message that was saved by itself has the shape of one. */
export function shownItem(stored: object): AnyItem {
  const { createdAt: _createdAt, ...item } = stored as { readonly id: string } & GivenItem
  if (typeof item['type'] === 'string') return item as AnyItem
  const { toolCallId, tool_call_id: callId = toolCallId, ...message } = item as GivenItem
  if (item['role'] === 'tool' && typeof callId === 'string') {
    const { content } = message
    return {
      type: 'function_call_output',
      id: item.id,
      call_id: callId,
      output: content,
      status: 'completed',
    }
  }
  return messageOf({ ...message, type: 'message', content: item['content'] ?? [] }) as AnyItem
}
