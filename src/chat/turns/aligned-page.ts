/*
 * Pages that begin and end between turns. A page is made smaller so that it does, and larger only where one
 * turn alone is larger than it. Pages stay next to each other: what one leaves out, the next one has.
 */
import { PAGE_ITEMS_MAX } from '../../core/limits.ts'
import type {
  ConversationPages,
  PagesQuery,
  PlacedMessage,
  PlacedPage,
} from '../conversation-pages.ts'
import { TURN_SPAN_MAX, turnStarts } from './turn-starts.ts'

/** One page, in the order asked for. */
export async function readAlignedPage(
  pages: ConversationPages,
  query: PagesQuery,
): Promise<PlacedPage> {
  const { limit, order } = query
  let { messages, next } = await pages.page(query)
  for (;;) {
    const { cut, isCertain } = findCut(messages, query, next === undefined)
    const isAll = next === undefined || messages.length >= PAGE_ITEMS_MAX
    if ((isCertain && cut > 0) || isAll) {
      // Where one turn is larger than a page may be, it is torn.
      const length = cut > 0 ? cut : Math.min(limit, messages.length)
      const isEnd = length === messages.length
      const shown = messages.slice(0, length)
      return {
        messages: shown,
        next: isEnd ? next : shown.at(-1)?.item.position,
        complete: pages.complete,
      }
    }
    const more = Math.min(TURN_SPAN_MAX, PAGE_ITEMS_MAX - messages.length)
    const bound = { [order === 'newest' ? 'before' : 'after']: next }
    const page = await pages.page({ ...query, ...bound, limit: more })
    messages = [...messages, ...page.messages]
    next = page.next
  }
}

/** How many of the messages make the page; 0 when none does. `isCertain`: no older or later one matters. */
function findCut(
  messages: readonly PlacedMessage[],
  { limit, order }: PagesQuery,
  isAll: boolean,
): { readonly cut: number; readonly isCertain: boolean } {
  const uses = messages.map(({ use }) => use)
  const isBackwards = order === 'newest'
  const { starts, lastTied, firstTied } = turnStarts(isBackwards ? uses.reverse() : uses)
  const count = messages.length
  const isGood = (length: number): boolean => {
    if (length === count) return isAll || (isBackwards ? lastTied === -1 : firstTied === count)
    return starts[isBackwards ? count - length : length]!
  }
  let cut = Math.min(limit, count)
  while (cut > 0 && !isGood(cut)) cut--
  if (cut === 0) {
    cut = limit + 1
    while (cut < count && !isGood(cut)) cut++
    if (cut > count || !isGood(cut)) return { cut: 0, isCertain: false }
  }
  return { cut, isCertain: isBackwards ? count - cut > lastTied : cut <= firstTied }
}
