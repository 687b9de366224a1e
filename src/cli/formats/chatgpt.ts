import { fieldsOf, isFields, draftOf, present, textOf, timeOf, without } from './fields.ts'
import type { Draft, Fields, Format, LeftOut, SourceConversation } from './format.ts'

const NAMED = [
  'id',
  'conversation_id',
  'title',
  'create_time',
  'update_time',
  'mapping',
  'current_node',
]

const TAKEN = ['id', 'author', 'content', 'create_time']

/** `conversations.json` of ChatGPT's data export: each conversation a tree of nodes by id. */
export const CHATGPT: Format = {
  name: 'chatgpt',
  isConversation: (value) => isFields(value) && isFields(value['mapping']),
  conversation,
  message,
}

function conversation(value: unknown): SourceConversation {
  const fields = fieldsOf(value, 'the conversation')
  const mapping = fieldsOf(fields['mapping'], 'mapping')
  return {
    id: fields['conversation_id'] ?? fields['id'],
    info: present({
      title: textOf(fields['title']),
      createdAt: timeOf(fields['create_time']),
      updatedAt: timeOf(fields['update_time']),
    }),
    nodes: Object.entries(mapping).map(([key, node]) =>
      isFields(node)
        ? { key, id: key, parent: textOf(node['parent']), raw: node['message'] ?? undefined }
        : { key, id: key, parent: undefined, raw: node },
    ),
    current: textOf(fields['current_node']),
    ignored: Object.keys(without(fields, NAMED)),
  }
}

function message(raw: Fields): Draft | LeftOut {
  const author = fieldsOf(raw['author'], 'author')
  const content = contentOf(fieldsOf(raw['content'], 'content'))
  if (content === '' || (Array.isArray(content) && content.length === 0)) {
    return { leftOut: 'messages without content' }
  }
  return draftOf(
    'chatgpt',
    {
      role: author['role'],
      name: textOf(author['name']),
      content,
      time: ['create_time', raw['create_time']],
    },
    { ...without(raw, TAKEN), author: authorMore(author) },
  )
}

/** What the file says of the author beside role and name, if it says anything. */
function authorMore(author: Fields): Fields {
  const { metadata, ...more } = without(author, ['role', 'name'])
  return isFields(metadata) && Object.keys(metadata).length > 0 ? { ...more, metadata } : more
}

/** Texts as a string; pictures, code, thoughts and whatever comes next as parts with all their fields. */
function contentOf(content: Fields): string | readonly Fields[] {
  const { content_type: type, parts } = content
  if (!Array.isArray(parts)) {
    // Without code a call of a tool says nothing, and neither does a thought without thoughts.
    return [{ type: textOf(type) ?? 'unknown', ...without(content, ['type', 'content_type']) }]
  }
  const kept = (parts as readonly unknown[]).filter((part) => part !== '' && part !== null)
  if (kept.length === 0) return ''
  if (kept.length === 1 && typeof kept[0] === 'string') return kept[0]
  return kept.map((part) => {
    if (!isFields(part)) return { type: 'text', text: `${String(part)}` }
    return {
      type: textOf(part['content_type']) ?? 'unknown',
      ...without(part, ['type', 'content_type']),
    }
  })
}
