import { chain, draftOf, isFields, listOf, present, textOf, timeOf, without } from './fields.ts'
import type { Draft, Fields, Format, LeftOut, SourceConversation } from './format.ts'

const NAMED = ['id', 'chatId', 'conversationId', 'title', 'createdAt', 'updatedAt', 'messages']
const TAKEN = ['id', 'role', 'parts', 'content', 'createdAt', 'metadata']

/** `UIMessage`s of the AI SDK: a bare list, or a chat with an id and messages. */
export const AI_SDK: Format = {
  name: 'ai-sdk',
  isConversation: (value) => messagesOf(value)?.some(isMessage) ?? false,
  isMessage,
  conversation,
  message,
}

function isMessage(value: unknown): boolean {
  return isFields(value) && typeof value['role'] === 'string' && Array.isArray(value['parts'])
}

function messagesOf(value: unknown): readonly unknown[] | undefined {
  const messages = isFields(value) ? value['messages'] : value
  return Array.isArray(messages) ? (messages as readonly unknown[]) : undefined
}

function conversation(value: unknown): SourceConversation {
  const fields = isFields(value) ? value : {}
  return {
    id: fields['conversationId'] ?? fields['chatId'] ?? fields['id'],
    info: present({
      title: textOf(fields['title']),
      createdAt: timeOf(fields['createdAt']),
      updatedAt: timeOf(fields['updatedAt']),
    }),
    nodes: chain(listOf(messagesOf(value), 'messages'), ({ id }) => id),
    ignored: Object.keys(without(fields, NAMED)),
  }
}

/** The parts are the content, tool calls with their results among them: each as it came. */
function message(raw: Fields): Draft | LeftOut {
  const { role, parts, content, metadata } = raw
  const hasParts = Array.isArray(parts) && parts.length > 0
  if (!hasParts && (content === undefined || content === '')) {
    return { leftOut: 'messages without content' }
  }
  // Messages of the fourth version say the text twice.
  const isSaid = !hasParts || content === '' || content === textIn(parts)
  return draftOf(
    'ai-sdk',
    {
      role,
      content: hasParts ? parts : content,
      time: ['createdAt', raw['createdAt']],
      ...(isFields(metadata) && { own: metadata }),
    },
    {
      ...without(raw, TAKEN),
      ...(!isSaid && { content }),
      ...(!isFields(metadata) && { metadata }),
    },
  )
}

function textIn(parts: readonly unknown[]): string {
  return parts
    .filter(isFields)
    .filter(({ type }) => type === 'text')
    .map(({ text }) => String(text))
    .join('')
}
