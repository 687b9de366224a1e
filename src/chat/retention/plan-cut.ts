import type { Item } from '../../core/merge.ts'
import type { Stamp } from '../../core/stamp.ts'

/** What is known of a message, oldest first. */
export interface RetainedItem {
  readonly item: Item
  /** It answers a tool call of a message before it. */
  readonly isToolResult: boolean
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
 * Where to cut a conversation, or undefined when all of it stays. A tool result never stays without
 * the message that called for it:
 *
 * - what is too old goes, and with it the tool results that follow it, however young;
 * - of what is too many the last group stays whole, so that a call and its results are never torn
 *   apart because there are many of them.
 */
export async function planCut(
  messages: AsyncIterable<RetainedItem>,
  { cutoff, excess, messagesMax }: CutRequest,
): Promise<Cut | undefined> {
  const seen: Item[] = []
  const looked = Math.min(excess, messagesMax)
  let groupStart = 0
  let tooOld = 0
  let tooMany = 0
  for await (const { item, isToolResult } of messages) {
    const at = seen.length
    if (!isToolResult) groupStart = at
    if (at === looked) tooMany = groupStart
    const isOld = cutoff !== undefined && item.position < cutoff
    const followsOld = isToolResult && at > 0 && tooOld === at
    if (at >= messagesMax) {
      // The next pass goes on from here: not from the middle of a group.
      if (isOld || followsOld) tooOld = groupStart
      break
    }
    if (isOld || followsOld) tooOld = at + 1
    else if (at >= excess) break
    seen.push(item)
  }
  const count = Math.max(tooOld, tooMany)
  const through = seen[count - 1]?.position
  if (through === undefined) return undefined
  return { through, count }
}
