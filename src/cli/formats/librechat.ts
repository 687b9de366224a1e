import { compareText } from '../../core/text.ts'
import { draftOf, fieldsOf, isFields, listOf, present, textOf, timeOf, without } from './fields.ts'
import type { Draft, Fields, Format, LeftOut, SourceConversation, SourceNode } from './format.ts'

const NAMED = [
  'conversationId',
  'title',
  'createdAt',
  'updatedAt',
  'messages',
  'messagesTree',
  'recursive',
  'branches',
]
const TAKEN = [
  'messageId',
  'conversationId',
  'parentMessageId',
  'children',
  'isCreatedByUser',
  'text',
  'content',
  'createdAt',
]

/** A conversation of LibreChat's export: messages in a list or nested, each naming the one before. */
export const LIBRECHAT: Format = {
  name: 'librechat',
  isConversation: (value) =>
    isFields(value) && [value['messagesTree'], value['messages']].some(hasMessages),
  conversation,
  message,
}

function hasMessages(messages: unknown): boolean {
  return Array.isArray(messages) && (messages as readonly unknown[]).some(isMessage)
}

function isMessage(value: unknown): boolean {
  return isFields(value) && 'messageId' in value && 'isCreatedByUser' in value && !('role' in value)
}

function conversation(value: unknown): SourceConversation {
  const fields = fieldsOf(value, 'the conversation')
  const nodes = nodesOf(listOf(fields['messagesTree'] ?? fields['messages'], 'messages'))
  return {
    id: fields['conversationId'],
    info: present({
      title: textOf(fields['title']),
      createdAt: timeOf(fields['createdAt']),
      updatedAt: timeOf(fields['updatedAt']),
    }),
    nodes,
    current: latest(nodes),
    ignored: Object.keys(without(fields, NAMED)),
  }
}

/** Nested messages one after the other, those before the ones that answer them; without recursion. */
function nodesOf(messages: readonly unknown[]): SourceNode[] {
  const nodes: SourceNode[] = []
  const waiting = messages.map((raw) => ({ raw, above: undefined as string | undefined })).reverse()
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { raw, above } = next
    const { messageId, parentMessageId, children } = isFields(raw) ? raw : {}
    const key = textOf(messageId) ?? `message ${nodes.length}`
    nodes.push({ key, id: messageId, parent: textOf(parentMessageId) ?? above, raw })
    if (!Array.isArray(children)) continue
    for (const child of (children as readonly unknown[]).toReversed()) {
      waiting.push({ raw: child, above: key })
    }
  }
  return nodes
}

/** LibreChat shows the path to the newest message; an export does not say which one was open. */
function latest(nodes: readonly SourceNode[]): string | undefined {
  let found: { readonly key: string; readonly time: string } | undefined
  for (const { key, raw } of nodes) {
    const time = isFields(raw) ? (textOf(raw['createdAt']) ?? '') : ''
    if (found === undefined || compareText(time, found.time) >= 0) found = { key, time }
  }
  return found?.key
}

function message(raw: Fields): Draft | LeftOut {
  const { isCreatedByUser, text, content: parts } = raw
  const content = Array.isArray(parts) && parts.length > 0 ? parts : (text ?? '')
  const hasFiles = Array.isArray(raw['files']) && raw['files'].length > 0
  if (content === '' && !hasFiles) return { leftOut: 'messages without content' }
  return draftOf(
    'librechat',
    {
      role: isCreatedByUser === true ? 'user' : 'assistant',
      content,
      time: ['createdAt', raw['createdAt']],
    },
    without(raw, TAKEN),
  )
}
