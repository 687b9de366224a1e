import type { ChatHistory } from '../../src/chat/chat-history.ts'
import { ConversationView } from '../../src/chat/branches/conversation-view.ts'
import { storeReader } from '../../src/chat/branches/forks.ts'
import { conversationKey } from '../../src/chat/keys.ts'
import { itemValue, type Item } from '../../src/core/merge.ts'
import type { PlaceName } from '../../src/core/places.ts'
import type { Stamp } from '../../src/core/stamp.ts'
import type { ShownMessage } from '../../src/testing/history-checker/history.ts'

/** More than a program saves. */
const EVERYTHING = 1_000

/** What was read of a conversation before one of its messages was forked from, or cut off. */
export interface ReadBefore {
  /** Up to the message, if the read was complete. */
  readonly shown: readonly ShownMessage[]
  /** The message and all behind it. */
  readonly seen: readonly string[]
  readonly readMs: number
}

/** Reads the conversation for a call about a message. */
export async function readBefore(
  { store }: ChatHistory,
  conversation: string,
  id: string,
  now: () => number,
): Promise<ReadBefore> {
  const key = conversationKey('', conversation)
  const { items, complete } = await store.readItems({ key, limit: EVERYTHING, order: 'oldest' })
  const at = items.findIndex((item) => item.id === id)
  const shown = complete && at >= 0 ? items.slice(0, at + 1).map(shownOf) : []
  const seen = at < 0 ? [] : items.slice(at).map((item) => item.id)
  return { shown, seen, readMs: now() }
}

/** All that a fork shows. */
export async function readBranch(
  { store }: ChatHistory,
  fork: string,
): Promise<{ readonly messages: readonly ShownMessage[]; readonly complete: boolean }> {
  const view = new ConversationView(storeReader(store), '')
  const { items, complete } = await view.page(fork, { limit: EVERYTHING, order: 'oldest' })
  return { messages: items.map(({ item }) => shownOf(item)), complete }
}

/** Removes a message and all behind it. */
export async function truncateFrom(
  history: ChatHistory,
  conversation: string,
  id: string,
): Promise<{ readonly copies?: readonly PlaceName[]; readonly isCertain: boolean }> {
  const { removed, copies, complete } = await history.truncate(conversation, { from: id })
  return { isCertain: complete, ...(removed > 0 && { copies }) }
}

function shownOf(item: Item): ShownMessage {
  const { content } = JSON.parse(itemValue(item)!) as { content: string }
  return { id: item.id, content, position: item.position as Stamp }
}
