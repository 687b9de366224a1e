import type { UIMessage } from 'ai'
import type { ChatHistory } from '../../chat/chat-history.ts'
import { toUIMessages } from '../../chat/convert/to-ui-messages.ts'
import type { ChatMessage } from '../../chat/message.ts'
import type { Part } from './answer-parts.ts'

/** One message of a chat. */
export interface Row {
  readonly id: string
  /** As a client is to see it. */
  readonly message: UIMessage
  /** Its parts as they are stored. */
  readonly parts: readonly Part[]
  readonly status: ChatMessage['status']
  /** The stored messages that go on with it, each with all of it: `message` shows the last one. */
  readonly continuedBy: readonly string[]
}

/** The field by which an answer that goes on with a message names it. */
export const CONTINUES = 'continues'

/** A `UIMessage` as it is stored. */
export interface Kept {
  readonly id: string
  readonly role: string
  readonly metadata?: unknown
  readonly parts: readonly Part[]
  readonly status?: ChatMessage['status']
  readonly [CONTINUES]?: string
}

/** The messages of a chat. What was saved in another shape is shown as the AI SDK has it. */
export async function readChat(history: ChatHistory, chatId: string): Promise<Row[]> {
  const stored: ChatMessage[] = []
  for await (const message of history.messages(chatId)) stored.push(message)
  const rows: Row[] = []
  for (let i = 0; i < stored.length;) {
    const message = stored[i]!
    if (isUI(message)) {
      place(rows, message)
      i++
      continue
    }
    const next = stored.findIndex((other, at) => at > i && isUI(other))
    const end = next === -1 ? stored.length : next
    rows.push(...converted(stored.slice(i, end)))
    i = end
  }
  return rows
}

/** True for what the AI SDK calls a message. */
export function isUI(message: object): message is Kept {
  const { role, parts } = message as Partial<Kept>
  if (role !== 'user' && role !== 'assistant' && role !== 'system') return false
  return Array.isArray(parts) && parts.every(({ type }: Part) => typeof type === 'string')
}

/** As a client is to see it. */
export function shownMessage({ id, role, metadata, parts, status }: Kept): UIMessage {
  const shown = status === 'incomplete' ? parts.map(closed) : parts
  const message = { id, role, ...(metadata !== undefined && { metadata }), parts: shown }
  return message as object as UIMessage
}

function place(rows: Row[], stored: Kept): void {
  const { [CONTINUES]: continues } = stored
  const i = continues === undefined ? -1 : rows.findIndex(({ id }) => id === continues)
  if (i === -1) rows.push(rowOf(stored))
  else {
    const continuedBy = [...rows[i]!.continuedBy, stored.id]
    rows[i] = { ...rowOf({ ...stored, id: continues! }), continuedBy }
  }
}

function rowOf(stored: Kept): Row {
  const { id, parts, status } = stored
  return { id, message: shownMessage(stored), parts, status, continuedBy: [] }
}

/** A call that nobody answers any more: a model takes none without a result. */
function closed(part: Part): Part {
  if (part['state'] !== 'input-available' || part['providerExecuted'] === true) return part
  return { ...part, state: 'output-error', errorText: 'The call was interrupted.' }
}

function converted(stored: readonly ChatMessage[]): Row[] {
  return toUIMessages(stored).messages.map((message) => {
    const parts = message.parts as object[] as Part[]
    const shown = { id: message.id, message: message as object as UIMessage, parts }
    return { ...shown, status: undefined, continuedBy: [] }
  })
}
