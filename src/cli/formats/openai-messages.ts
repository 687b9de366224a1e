import { importMessage } from '../jsonl/import-message.ts'
import { isFields, withField } from './fields.ts'
import type { Draft, Fields, Format } from './format.ts'
import { messageList } from './message-list.ts'

/** Messages with `role` and `content`: `{ messages }` a line, as fine-tuning has them, or a bare list. */
export const OPENAI_MESSAGES: Format = messageList({
  name: 'openai-messages',
  ids: ['conversationId', 'id'],
  idOf: ({ id }) => id,
  isMessage,
  message,
})

function isMessage(value: unknown): boolean {
  if (!isFields(value) || typeof value['role'] !== 'string') return false
  return ['content', 'tool_calls', 'toolCalls', 'function_call'].some((name) => name in value)
}

/** As a line of our own: every field is kept, in its order. */
function message(raw: Fields, index: number): Draft {
  const { id: _id, ...draft } = importMessage(raw, index) as object as Fields
  const content = 'content' in draft || 'toolCalls' in draft ? {} : { content: null }
  if (raw['role'] !== 'function') return { ...draft, ...content }
  // The older word for what a tool answers.
  const own = isFields(draft['metadata']) ? draft['metadata'] : {}
  return {
    ...draft,
    role: 'tool',
    metadata: withField(own, 'openai-messages', { role: 'function' }),
  }
}
