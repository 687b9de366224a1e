import type { Item } from '../../core/merge.ts'
import type { Stamp } from '../../core/stamp.ts'
import type { ToolUse } from '../turns/tool-use.ts'
import { TURN_SPAN_MAX, turnStarts } from '../turns/turn-starts.ts'

/** What is known of a message, oldest first. */
export interface RetainedItem {
  readonly item: Item
  readonly use: ToolUse
}

export interface CutRequest {
  /** Messages that stand before this are too old. */
  readonly cutoff: Stamp | undefined
  /** Messages at the beginning that are too many. */
  readonly excess: number
  /** Messages that are looked at; the next pass goes on. */
  readonly messagesMax: number
}

export interface Cut {
  /** Everything up to here goes. */
  readonly through: Stamp
  readonly count: number
}

/**
 * Where to cut a conversation, or undefined when all of it stays. A tool result does not stay without
 * the message that called for it:
 *
 * - what is too old goes, and with it the tool results that follow it, however young; one that stands
 *   behind other messages stays, since those are not too old; what a model thought takes the item with it
 *   that it led to;
 * - of what is too many the last turn stays whole, so that a call and its results are never torn apart
 *   because there are many of them.
 */
export async function planCut(
  messages: AsyncIterable<RetainedItem>,
  { cutoff, excess, messagesMax }: CutRequest,
): Promise<Cut | undefined> {
  const seen: RetainedItem[] = []
  const looked = Math.min(excess, messagesMax)
  let tooOld = 0
  for await (const message of messages) {
    const at = seen.push(message) - 1
    const isOld = cutoff !== undefined && message.item.position < cutoff
    const followsOld = at > 0 && (isResult(message) || seen[at - 1]!.use.leads === true)
    if (tooOld === at && (isOld || followsOld)) tooOld = at + 1
    const isEnough = at >= messagesMax || tooOld <= at
    // The results of the last calls stand behind them.
    if (isEnough && at >= looked + TURN_SPAN_MAX) break
  }
  const { starts } = turnStarts(seen.map(({ use }) => use))
  const tooMany = looked < seen.length ? Math.max(0, starts.lastIndexOf(true, looked)) : 0
  if (tooOld > messagesMax) {
    // The next pass goes on from there: not from the middle of what goes together.
    tooOld = seen.findLastIndex((message, i) => {
      return i <= messagesMax && !isResult(message) && seen[i - 1]?.use.leads !== true
    })
  }
  const count = Math.max(tooOld, tooMany)
  const through = seen[count - 1]?.item.position
  if (through === undefined) return undefined
  return { through, count }
}

function isResult({ use }: RetainedItem): boolean {
  return use.results.length > 0
}
