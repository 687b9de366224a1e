import {
  chain,
  draftOf,
  fieldsOf,
  isFields,
  listOf,
  present,
  textOf,
  timeOf,
  without,
} from './fields.ts'
import type { Draft, Fields, Format, LeftOut, SourceConversation, SourceNode } from './format.ts'

const NAMED = [
  'uuid',
  'name',
  'summary',
  'created_at',
  'updated_at',
  'chat_messages',
  'current_leaf_message_uuid',
]
const TAKEN = ['uuid', 'sender', 'text', 'content', 'created_at', 'parent_message_uuid']
const ROLES: Readonly<Record<string, string>> = { human: 'user', assistant: 'assistant' }

/** `conversations.json` of Claude's data export. */
export const CLAUDE: Format = {
  name: 'claude',
  isConversation: (value) => isFields(value) && Array.isArray(value['chat_messages']),
  conversation,
  message,
}

function conversation(value: unknown): SourceConversation {
  const fields = fieldsOf(value, 'the conversation')
  return {
    id: fields['uuid'],
    info: present({
      title: textOf(fields['name']),
      summary: textOf(fields['summary']),
      createdAt: timeOf(fields['created_at']),
      updatedAt: timeOf(fields['updated_at']),
    }),
    nodes: nodesOf(listOf(fields['chat_messages'], 'chat_messages')),
    current: textOf(fields['current_leaf_message_uuid']),
    ignored: Object.keys(without(fields, NAMED)),
  }
}

/** A tree where the messages name the one before; in older exports a list. */
function nodesOf(messages: readonly unknown[]): SourceNode[] {
  const isTree = messages.some((raw) => isFields(raw) && textOf(raw['parent_message_uuid']))
  const nodes = chain(messages, ({ uuid }) => uuid)
  if (!isTree) return nodes
  return nodes.map((node) => {
    const { uuid, parent_message_uuid: parent } = isFields(node.raw) ? node.raw : {}
    return { ...node, key: textOf(uuid) ?? node.key, parent: textOf(parent) }
  })
}

function message(raw: Fields): Draft | LeftOut {
  const { sender } = raw
  const { content, rest } = contentOf(raw)
  const files = { ...without(raw, TAKEN), ...rest }
  if (content === '' && !hasItems(raw['attachments']) && !hasItems(raw['files'])) {
    return { leftOut: 'messages without content' }
  }
  const role = typeof sender === 'string' ? (ROLES[sender] ?? sender) : sender
  return draftOf('claude', { role, content, time: ['created_at', raw['created_at']] }, files)
}

/** One block of text is a string, and the rest of the block is kept beside; else all blocks are parts. */
function contentOf({ content, text }: Fields): {
  readonly content: unknown
  readonly rest: Fields
} {
  if (!hasItems(content)) return { content: text ?? '', rest: {} }
  const [first, ...others] = content
  if (others.length > 0 || !isFields(first) || first['type'] !== 'text')
    return { content, rest: {} }
  const block = present(without(first, ['type', 'text']))
  return {
    content: first['text'],
    rest: Object.keys(block).length > 0 ? { block } : {},
  }
}

function hasItems(value: unknown): value is readonly unknown[] {
  return Array.isArray(value) && value.length > 0
}
