import { BadLine } from '../jsonl/bad-line.ts'
import { chain, draftOf, isFields, listOf, present, textOf, timeOf, without } from './fields.ts'
import type { Draft, Fields, Format, LeftOut, SourceConversation } from './format.ts'

const NAMED = ['id', 'object', 'conversation', 'created_at', 'data', 'output', 'input', 'items']
const TYPES =
  /^(?:message|reasoning|item_reference|compaction|mcp_[a-z_]+|[a-z_]+_call(?:_output)?)$/

/** Items of OpenAI's Responses and Conversations: a bare list, `data` of a list, or a response. */
export const OPENAI_ITEMS: Format = {
  name: 'openai-items',
  isConversation: (value) => itemsOf(value)?.some(isItem) ?? false,
  isMessage: isItem,
  conversation,
  message,
}

function isItem(value: unknown): boolean {
  return isFields(value) && typeof value['type'] === 'string' && TYPES.test(value['type'])
}

function itemsOf(value: unknown): readonly unknown[] | undefined {
  if (Array.isArray(value)) return value as readonly unknown[]
  if (!isFields(value)) return undefined
  const { input, output, data, items } = value
  // A response that was stored with its request has both.
  if (Array.isArray(output)) return [...inputOf(input), ...(output as readonly unknown[])]
  return [data, items].find(Array.isArray) as readonly unknown[] | undefined
}

function inputOf(input: unknown): readonly unknown[] {
  if (Array.isArray(input)) return input as readonly unknown[]
  return typeof input === 'string' ? [{ type: 'message', role: 'user', content: input }] : []
}

function conversation(value: unknown): SourceConversation {
  const fields = isFields(value) ? value : {}
  const { conversation: of } = fields
  return {
    id: isFields(of) ? of['id'] : (of ?? fields['id']),
    info: present({ createdAt: timeOf(fields['created_at']) }),
    nodes: chain(oldestFirst(listOf(itemsOf(value), 'items')), ({ id }) => id),
    ignored: Object.keys(without(fields, NAMED)),
  }
}

/** OpenAI lists the newest item first unless it is asked otherwise: what answers then stands before what it answers. */
function oldestFirst(items: readonly unknown[]): readonly unknown[] {
  const calls = new Set<unknown>()
  for (const item of items) {
    if (!isFields(item) || typeof item['type'] !== 'string') continue
    if (item['type'].endsWith('_call')) calls.add(item['call_id'])
    else if (item['type'].endsWith('_call_output')) {
      return calls.has(item['call_id']) ? items : items.toReversed()
    }
  }
  const said = items.filter((item) => isFields(item) && item['type'] === 'message') as Fields[]
  const isTurned = said[0]?.['role'] === 'assistant' && said.at(-1)?.['role'] !== 'assistant'
  return isTurned ? items.toReversed() : items
}

function message(raw: Fields): Draft | LeftOut {
  // In the input of a request a message may go without its type.
  switch (raw['type'] ?? ('role' in raw ? 'message' : undefined)) {
    case 'message':
      return draftOf(
        'openai-items',
        { role: raw['role'], content: raw['content'] },
        without(raw, ['id', 'type', 'role', 'content']),
      )
    case 'function_call':
      return call(raw)
    case 'function_call_output':
      return draftOf(
        'openai-items',
        { role: 'tool', content: raw['output'], toolCallId: textOf(raw['call_id']) },
        without(raw, ['id', 'type', 'output', 'call_id']),
      )
    case 'item_reference':
      return { leftOut: 'references to items that are not in the file' }
    default:
      if (!isItem(raw)) throw new BadLine(`type must be that of an item, got ${typeof raw['type']}`)
      // No message of any role says what it says: it is kept whole, without its id, which the message has.
      return draftOf('openai-items', { role: 'assistant', content: null }, without(raw, ['id']))
  }
}

function call(raw: Fields): Draft {
  const { call_id: id, name, arguments: text } = raw
  return draftOf(
    'openai-items',
    {
      role: 'assistant',
      content: null,
      toolCalls: [{ id, type: 'function', function: { name, arguments: text } }],
    },
    without(raw, ['id', 'type', 'call_id', 'name', 'arguments']),
  )
}
