import { chain, isFields, listOf, present, textOf, timeOf, without } from './fields.ts'
import type { Fields, Format } from './format.ts'

interface MessageList extends Pick<Format, 'name' | 'message'> {
  readonly isMessage: (value: unknown) => boolean
  /** Fields that may name the conversation; the first one that is there does. */
  readonly ids: readonly string[]
  /** The id that a message brings. */
  readonly idOf: (message: Fields) => unknown
}

const NAMED = ['title', 'createdAt', 'updatedAt', 'messages']

/** A form whose conversation is a list of messages, bare or as `messages` beside a title and times. */
export function messageList({ ids, idOf, ...form }: MessageList): Format {
  return {
    ...form,
    isConversation: (value) => messagesOf(value)?.some(form.isMessage) ?? false,
    conversation(value) {
      const fields = isFields(value) ? value : {}
      return {
        id: ids.map((name) => fields[name]).find((id) => id !== undefined && id !== null),
        info: present({
          title: textOf(fields['title']),
          createdAt: timeOf(fields['createdAt']),
          updatedAt: timeOf(fields['updatedAt']),
        }),
        nodes: chain(listOf(messagesOf(value), 'messages'), idOf),
        ignored: Object.keys(without(fields, [...ids, ...NAMED])),
      }
    },
  }
}

function messagesOf(value: unknown): readonly unknown[] | undefined {
  const messages = isFields(value) ? value['messages'] : value
  return Array.isArray(messages) ? (messages as readonly unknown[]) : undefined
}
