import type { Event } from '@google/adk'
import type { ChatMessage } from '../../chat/message.ts'
import { MESSAGE_ID_BYTES_MAX } from '../../core/limits.ts'
import { asJson, nameOf } from '../beside-messages.ts'

/** What an event is kept as that says nothing that a message could. */
const TYPE = 'adk-event'

/** What is stored of an event: its content as a message of Gemini, and all else beside it. */
interface Stored {
  readonly role?: string
  readonly parts?: object[]
  /** Set where there is no role. */
  readonly type?: string
  readonly event: Event
}

/** The id of an event's message: its own, unless a list cannot have that. */
export function itemIdOf({ id }: Event): string {
  const isFit = id !== '' && Buffer.byteLength(id) <= MESSAGE_ID_BYTES_MAX
  return isFit && id.isWellFormed() && !id.includes('\0') ? id : nameOf(id)
}

/** The message of an event, without its temporary state. */
export function messageOf(event: Event): object {
  const { content, ...rest } = asJson('event', event)
  for (const name of Object.keys(rest.actions?.stateDelta ?? {})) {
    if (name.startsWith('temp:')) delete rest.actions.stateDelta[name]
  }
  const { role, parts, ...others } = content ?? {}
  const isMessage =
    (role === 'user' || role === 'model') &&
    Array.isArray(parts) &&
    parts.every((each) => typeof each === 'object' && each !== null && !Array.isArray(each)) &&
    Object.keys(others).length === 0
  const stored: Stored = isMessage
    ? { role, parts, event: rest }
    : { type: TYPE, event: { ...rest, ...(content !== undefined && { content }) } }
  return stored
}

/** The event that a message was made of; a message of somebody else as an event with its text. */
export function eventOf(message: ChatMessage): Event {
  const { role, parts, event } = message as Partial<Stored>
  if (event === undefined) return eventAround(message)
  return role === undefined ? event : { ...event, content: { role, parts: parts! } }
}

function eventAround(message: ChatMessage): Event {
  const { id, role, content, createdAt } = message
  const isUsers = role === 'user'
  const { parts } = message as Partial<Stored>
  return {
    id,
    invocationId: '',
    author: isUsers ? 'user' : 'model',
    content: { role: isUsers ? 'user' : 'model', parts: parts ?? textParts(content) },
    actions: {
      stateDelta: {},
      artifactDelta: {},
      requestedAuthConfigs: {},
      requestedToolConfirmations: {},
    },
    timestamp: Date.parse(createdAt),
  }
}

function textParts(content: ChatMessage['content']): object[] {
  if (typeof content === 'string') return [{ text: content }]
  const parts = (content ?? []) as readonly { readonly text?: unknown }[]
  return parts.flatMap(({ text }) => (typeof text === 'string' ? [{ text }] : []))
}
