import { draftOf, isFields, without } from './fields.ts'
import type { Draft, Fields, Format, LeftOut } from './format.ts'
import { messageList } from './message-list.ts'

const TAKEN = ['id', 'role', 'parts', 'content', 'createdAt', 'metadata']

/** `UIMessage`s of the AI SDK: a bare list, or a chat with an id and messages. */
export const AI_SDK: Format = messageList({
  name: 'ai-sdk',
  ids: ['conversationId', 'chatId', 'id'],
  idOf: ({ id }) => id,
  isMessage,
  message,
})

function isMessage(value: unknown): boolean {
  return isFields(value) && typeof value['role'] === 'string' && Array.isArray(value['parts'])
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
