import { importMessage } from '../jsonl/import-message.ts'
import { chain, isFields, listOf, present, textOf, timeOf, without, withField } from './fields.ts'
import type { Draft, Fields, Format, SourceConversation } from './format.ts'

const NAMED = ['id', 'conversationId', 'title', 'createdAt', 'updatedAt', 'messages']

/** Messages with `role` and `content`: `{ messages }` a line, as fine-tuning has them, or a bare list. */
export const OPENAI_MESSAGES: Format = {
  name: 'openai-messages',
  isConversation: (value) => messagesOf(value)?.some(isMessage) ?? false,
  isMessage,
  conversation,
  message,
}

function isMessage(value: unknown): boolean {
  if (!isFields(value) || typeof value['role'] !== 'string') return false
  return ['content', 'tool_calls', 'toolCalls', 'function_call'].some((name) => name in value)
}

function messagesOf(value: unknown): readonly unknown[] | undefined {
  const messages = isFields(value) ? value['messages'] : value
  return Array.isArray(messages) ? (messages as readonly unknown[]) : undefined
}

function conversation(value: unknown): SourceConversation {
  const fields = isFields(value) ? value : {}
  return {
    id: fields['conversationId'] ?? fields['id'],
    info: present({
      title: textOf(fields['title']),
      createdAt: timeOf(fields['createdAt']),
      updatedAt: timeOf(fields['updatedAt']),
    }),
    nodes: chain(listOf(messagesOf(value), 'messages'), ({ id }) => id),
    ignored: Object.keys(without(fields, NAMED)),
  }
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
