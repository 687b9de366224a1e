import { draftOf, fieldsOf, isFields, textOf, without } from './fields.ts'
import type { Draft, Fields, Format, LeftOut } from './format.ts'
import { messageList } from './message-list.ts'

const TAKEN = ['type', 'id', 'content', 'role', 'name', 'tool_call_id', 'created_at']
const ROLES: Readonly<Record<string, string>> = {
  human: 'user',
  ai: 'assistant',
  system: 'system',
  developer: 'developer',
  tool: 'tool',
  function: 'tool',
}
const CUSTOM = ['chat', 'generic']
const REMOVE = 'remove'

/** Messages as LangChain stores them: `{ type, data }`, what its serialisers write, and plain fields with a `type`. */
export const LANGCHAIN: Format = messageList({
  name: 'langchain',
  ids: ['conversationId', 'session_id', 'id'],
  idOf: (raw) => plain(raw)?.fields['id'],
  isMessage,
  message,
})

function isMessage(value: unknown): boolean {
  return isFields(value) && !('role' in value) && plain(value) !== undefined
}

interface Plain {
  readonly type: string
  readonly fields: Fields
}

/** One shape for all three; undefined for what is none of them. */
function plain(raw: Fields): Plain | undefined {
  const { type, data, kwargs, id } = raw
  if (type === 'constructor' && Array.isArray(id) && isFields(kwargs)) {
    return known(String(id.at(-1)), kwargs)
  }
  if (typeof type !== 'string') return undefined
  return isFields(data) ? known(type, data) : 'content' in raw ? known(type, raw) : undefined
}

/** `AIMessageChunk` is `ai`. */
function known(name: string, fields: Fields): Plain | undefined {
  const type = name.replace(/Message(?:Chunk)?$/, '').toLowerCase()
  return Object.hasOwn(ROLES, type) || type === REMOVE || CUSTOM.includes(type)
    ? { type, fields }
    : undefined
}

function message(raw: Fields): Draft | LeftOut {
  const { type, fields } = plain(raw) ?? {
    type: raw['type'],
    fields: fieldsOf(raw['data'], 'data'),
  }
  if (type === REMOVE) return { leftOut: 'marks that another message is removed' }
  const { content, tool_calls: given, additional_kwargs: more } = fields
  const calls = exactCalls(given)
  const provided =
    isFields(more) && Array.isArray(more['tool_calls']) ? more['tool_calls'] : undefined
  // One that is of no known type goes on as it is, and the store says what is wrong with it.
  const role = typeof type === 'string' ? (ROLES[type] ?? fields['role'] ?? type) : type
  return draftOf(
    'langchain',
    {
      role,
      content: Array.isArray(content) ? content.map(partOf) : (content ?? null),
      time: ['created_at', fields['created_at']],
      name: textOf(fields['name']),
      toolCalls: calls ?? provided,
      toolCallId: textOf(fields['tool_call_id']),
    },
    without(fields, calls === undefined ? TAKEN : [...TAKEN, 'tool_calls']),
  )
}

function partOf(part: unknown): unknown {
  return typeof part === 'string' ? { type: 'text', text: part } : part
}

const CALL_FIELDS = ['type', 'id', 'name', 'args']

/** Tool calls in OpenAI's form, if that says all that they say. */
function exactCalls(calls: unknown): readonly Fields[] | undefined {
  if (!Array.isArray(calls) || calls.length === 0) return undefined
  const made: Fields[] = []
  for (const call of calls as readonly unknown[]) {
    if (!isFields(call) || Object.keys(call).some((name) => !CALL_FIELDS.includes(name)))
      return undefined
    const { id, name, args } = call
    if (typeof id !== 'string' || typeof name !== 'string' || !isFields(args)) return undefined
    made.push({ id, type: 'function', function: { name, arguments: JSON.stringify(args) } })
  }
  return made
}
