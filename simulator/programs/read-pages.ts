import type { ChatHistory } from '../../src/chat/chat-history.ts'
import type { Stamp } from '../../src/core/stamp.ts'
import type { ShownMessage } from '../../src/testing/history-checker/history.ts'
import { SEARCHED_WORD } from './program.ts'

/** What several pages showed, oldest first. */
export interface ReadInPages {
  readonly messages: readonly ShownMessage[]
  readonly complete: boolean
  readonly pages: number
}

/** All that a search finds, page by page. */
export async function searchPages(
  history: ChatHistory,
  { conversation, limit }: { readonly conversation: string; readonly limit: number },
): Promise<ReadInPages> {
  const messages: ShownMessage[] = []
  let complete = true
  let cursor: string | undefined
  let pages = 0
  do {
    const page = await history.search({
      text: SEARCHED_WORD,
      conversationId: conversation,
      limit,
      ...(cursor !== undefined && { cursor }),
    })
    for (const { message, position } of page.hits) {
      const { id, content } = message!
      messages.unshift({ id, content: content as string, position: position as Stamp })
    }
    complete &&= page.complete
    cursor = page.nextCursor
    pages++
  } while (cursor !== undefined)
  return { messages, complete, pages }
}

/** Page by page through the chat layer, forwards or backwards. */
export async function readPages(
  history: ChatHistory,
  {
    conversation,
    limit,
    forwards,
  }: { readonly conversation: string; readonly limit: number; readonly forwards: boolean },
): Promise<ReadInPages> {
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
