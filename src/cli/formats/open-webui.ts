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

const NAMED = ['id', 'title', 'chat', 'created_at', 'updated_at']
const TAKEN = ['id', 'parentId', 'childrenIds', 'role', 'content', 'timestamp']

/** Chats of Open WebUI's export: each with a history, which is a tree of messages by id. */
export const OPEN_WEBUI: Format = {
  name: 'open-webui',
  isConversation: (value) => {
    const chat = isFields(value) ? (value['chat'] ?? value) : undefined
    return (
      isFields(chat) && (hasHistory(chat) || (chat !== value && Array.isArray(chat['messages'])))
    )
  },
  conversation,
  message,
}

function hasHistory({ history }: Fields): boolean {
  return isFields(history) && isFields(history['messages'])
}

function conversation(value: unknown): SourceConversation {
  const fields = fieldsOf(value, 'the chat')
  const chat = fieldsOf(fields['chat'] ?? fields, 'chat')
  const history = hasHistory(chat) ? fieldsOf(chat['history'], 'history') : undefined
  const { tags } = chat
  return {
    id: textOf(fields['id']) ?? chat['id'],
    info: present({
      title: textOf(fields['title']) ?? textOf(chat['title']),
      createdAt: timeOf(fields['created_at']) ?? timeOf(chat['timestamp']),
      updatedAt: timeOf(fields['updated_at']),
      tags: Array.isArray(tags) && tags.length > 0 ? tags : undefined,
    }),
    nodes:
      history === undefined
        ? chain(listOf(chat['messages'], 'chat.messages'), ({ id }) => id)
        : nodesOf(fieldsOf(history['messages'], 'history.messages')),
    current: textOf(history?.['currentId']),
    ignored: Object.keys(without(fields, NAMED)),
  }
}

function nodesOf(messages: Fields): SourceNode[] {
  return Object.entries(messages).map(([key, raw]) => ({
    key,
    id: key,
    parent: isFields(raw) ? textOf(raw['parentId']) : undefined,
    raw,
  }))
}

function message(raw: Fields): Draft | LeftOut {
  const { role, content = '' } = raw
  const { files } = raw
  if (content === '' && !(Array.isArray(files) && files.length > 0)) {
    return { leftOut: 'messages without content' }
  }
  return draftOf(
    'open-webui',
    { role, content, time: ['timestamp', raw['timestamp']] },
    without(raw, TAKEN),
  )
}
