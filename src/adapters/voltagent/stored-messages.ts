import type { ChatHistory } from '../../chat/chat-history.ts'
import { decodeMessage } from '../../chat/codec.ts'
import { toUIMessages } from '../../chat/convert/to-ui-messages.ts'
import { conversationKey } from '../../chat/keys.ts'
import type { ChatMessage } from '../../chat/message.ts'
import type { VoltAgentMessage } from './types.ts'

/** What is stored of a message. `messageId`: its own id, where the item could not have it. */
export type Stored = ChatMessage & {
  readonly parts?: readonly unknown[]
  readonly userId?: string
  readonly messageId?: string
}

/** Where a message stands, or may be saved. */
export interface Slot {
  readonly id: string
  readonly stored?: Stored
}

/**
 * Where messages of these ids stand. An id that was deleted, or is another user's, is taken in a list for good: the
 * next one is `ID~2`.
 *
 * @param isOwn Of a message that stands.
 */
export async function slotsOf(
  history: ChatHistory,
  conversationId: string,
  ids: readonly string[],
  isOwn: (stored: Stored) => boolean,
): Promise<ReadonlyMap<string, Slot>> {
  const key = conversationKey(history.tenant, conversationId)
  const slots = new Map<string, Slot>()
  const given = new Set<string>()
  let wanted = new Map(ids.map((id) => [id, id]))
  for (let n = 2; wanted.size > 0; n++) {
    const { items } = await history.store.readItemsById(key, [...wanted.keys()])
    const found = new Map(items.map((item) => [item.id, item]))
    const next = new Map<string, string>()
    for (const [id, messageId] of wanted) {
      const item = found.get(id)
      const stored = item && (decodeMessage(item) as Stored | undefined)
      const isIt = (stored?.messageId ?? id) === messageId
      const isFree = item === undefined && !given.has(id)
      if (isFree) slots.set(messageId, { id })
      else if (stored !== undefined && isIt && isOwn(stored)) slots.set(messageId, { id, stored })
      else next.set(`${messageId}~${n}`, messageId)
    }
    for (const { id } of slots.values()) given.add(id)
    wanted = next
  }
  return slots
}

/** A message as VoltAgent has it; one of another shape as the AI SDK shows it. Undefined: nothing of it can be shown. */
export function shownMessage(message: Stored): VoltAgentMessage | undefined {
  const { userId: _userId, messageId, createdAt: _createdAt, ...rest } = message
  if (rest.parts === undefined) return toUIMessages([rest]).messages[0]
  return { ...rest, id: messageId ?? rest.id } as object as VoltAgentMessage
}
