import type { ChatHistory } from '../../src/chat/chat-history.ts'
import { conversationKey } from '../../src/chat/keys.ts'
import type { ConversationItem } from '../../src/chat/message.ts'
import { isStorageError, type StorageErrorCode } from '../../src/core/errors.ts'
import { itemValue, type Item } from '../../src/core/merge.ts'
import type { PlaceName } from '../../src/core/places.ts'
import type { Stamp } from '../../src/core/stamp.ts'
import type { ShownMessage } from '../../src/testing/history-checker/history.ts'
import type { CallStep, ProgramMessage } from './program.ts'

/** More than a program saves. */
const EVERYTHING = 1_000

/** What an acknowledgement or an answer says. */
export interface CallResult {
  readonly receipts?: readonly { readonly id: string; readonly position: Stamp }[]
  readonly copies?: readonly PlaceName[]
  readonly complete?: boolean
  readonly messages?: readonly ShownMessage[]
  readonly pages?: number
  readonly count?: number
  readonly conversations?: readonly string[]
}

/** One call as its process saw it. */
export interface PerformedCall {
  /** Of the monotonic clock that all processes share. Milliseconds. */
  readonly startMs: number
  /** Absent when the process ended before. */
  readonly settledMs?: number
  readonly outcome: 'ok' | 'none' | 'unknown'
  readonly code?: StorageErrorCode
  readonly result?: CallResult
  /** The process had not opened its log yet. */
  readonly withoutLog?: boolean
  /** A database could not be reached when the store was opened. */
  readonly apart?: boolean
  /** An error that is not a `StorageError`. */
  readonly surprise?: string
}

/** Makes a call; `step.target` is an id. Never rejects. */
export async function performCall(
  history: ChatHistory,
  step: CallStep,
  now: () => number,
): Promise<PerformedCall> {
  const withoutLog = history.status().wal.state === 'closed'
  const base = { startMs: now(), ...(withoutLog && { withoutLog }) }
  try {
    const result = await answerOf(history, step)
    return { ...base, settledMs: now(), outcome: 'ok', result }
  } catch (error) {
    const settledMs = now()
    if (isStorageError(error)) {
      return { ...base, settledMs, outcome: error.effect, code: error.code }
    }
    return { ...base, settledMs, outcome: 'unknown', surprise: `${step.act}: ${String(error)}` }
  }
}

async function answerOf(history: ChatHistory, step: CallStep): Promise<CallResult> {
  const { conversation } = step
  const key = conversationKey('', conversation)
  switch (step.act) {
    case 'save': {
      const receipts = await history.saveItems(conversation, step.messages.map(roleOrType))
      return { receipts, copies: receipts[0]!.copies }
    }
    case 'edit': {
      const message = { role: 'user' as const, content: step.content }
      const receipt = await history.updateMessage(conversation, step.target, message)
      return { receipts: [receipt], copies: receipt.copies }
    }
    case 'remove': {
      const receipt = await history.deleteMessage(conversation, step.target)
      return { receipts: [receipt], copies: receipt.copies }
    }
    case 'clear':
      return { copies: (await history.clearHistory(conversation)).copies }
    case 'read': {
      const query = { key, limit: EVERYTHING, order: 'newest' } as const
      const { items, complete } = await history.store.readItems(query)
      return { messages: items.map(shownOf).reverse(), complete }
    }
    case 'pages':
      return await readPages(history, step)
    case 'find': {
      const { items, complete } = await history.store.readItemsById(key, [step.target])
      const visible = items.filter((item) => itemValue(item) !== undefined)
      return { messages: visible.map(shownOf), complete }
    }
    case 'count':
      return await history.store.countItems(key)
    case 'list': {
      const { conversations, complete } = await history.listConversations()
      return { conversations: conversations.map(({ conversationId }) => conversationId), complete }
    }
  }
}

/** Half of what is saved has no role: what it is is told by its content, so that a repeat is one. */
function roleOrType(message: ProgramMessage): ConversationItem {
  const isItem = (message.content.codePointAt(message.content.length - 1) ?? 0) % 2 === 1
  return isItem ? { type: 'note', ...message } : { role: 'user', ...message }
}

function shownOf(item: Item): ShownMessage {
  const { content } = JSON.parse(itemValue(item)!) as { content: string }
  return { id: item.id, content, position: item.position }
}

/** Page by page through the chat layer, forwards or backwards. */
async function readPages(
  history: ChatHistory,
  { conversation, limit, forwards }: CallStep & { readonly act: 'pages' },
): Promise<CallResult> {
  let messages: ShownMessage[] = []
  let complete = true
  let cursor: string | undefined
  let pages = 0
  do {
    const page = await history.getHistory(conversation, {
      limit,
      ...(forwards
        ? { order: 'oldest', ...(cursor !== undefined && { after: cursor }) }
        : cursor !== undefined && { before: cursor }),
    })
    const shown = page.messages.map(({ id, content }) => ({ id, content: content as string }))
    messages = forwards ? [...messages, ...shown] : [...shown, ...messages]
    complete &&= page.complete
    cursor = page.nextCursor
    pages++
  } while (cursor !== undefined)
  return { messages, complete, pages }
}
