/*
 * A fork's own list begins with a hidden item, the marker: up to which message of which conversation it
 * shares. It stands right behind the position of that message, and the list has a tombstone at that
 * position: so everything that the fork has for itself stands behind the marker, whatever clocks say, and
 * a reader that reaches the marker goes on in the other conversation.
 */
import { decodeJson, encodeJson, isJson, type JsonText } from '../../core/json.ts'
import { itemValue, type Item } from '../../core/merge.ts'
import { isStamp, type Stamp } from '../../core/stamp.ts'
import { isMessageText } from '../codec.ts'

/** The id of the item. A message may have it too: only the value tells. */
export const MARKER_ID = 'everthread/fork'

/** No clock makes an earlier one. */
export const FIRST_STAMP: Stamp = '00000000-0000-7000-8000-000000000000' as Stamp

/** What a fork shares. */
export interface ForkMarker {
  /**
   * The conversation that it was made of. Absent: all that it shows before the marker is in `shared/`, since it
   * was cut where the rest of it was long.
   */
  readonly conversationId?: string
  /** The last message that it shares. */
  readonly messageId: string
  /** Where that stands, and of one that was cut, the last message that went. */
  readonly through: Stamp
  /** Set where it was cut: nothing behind this is shown of what stands before the marker. */
  readonly upTo?: Stamp
}

/** No message has this as its text: a message has a role. */
export function encodeMarker(marker: ForkMarker): JsonText {
  return encodeJson({ everthread: 'fork', ...marker })
}

/** True for the text of a marker. */
export function isMarkerText(text: JsonText): boolean {
  return parseMarkerText(text) !== undefined
}

function parseMarkerText(text: JsonText): ForkMarker | undefined {
  if (!isJson(text)) return undefined
  const value = decodeJson<Record<string, unknown> | null>(text)
  if (typeof value !== 'object' || value === null) return undefined
  const { everthread, role, conversationId, messageId, through, upTo } = value
  if (everthread !== 'fork' || role !== undefined) return undefined
  if (typeof messageId !== 'string' || !isStamp(through)) return undefined
  if (upTo !== undefined && !isStamp(upTo)) return undefined
  if (conversationId !== undefined && typeof conversationId !== 'string') return undefined
  return {
    messageId,
    through,
    ...(conversationId !== undefined && { conversationId }),
    ...(upTo !== undefined && { upTo }),
  }
}

/** The marker that an item is; undefined for a message, and for what is removed. */
export function markerOf(item: Item): ForkMarker | undefined {
  if (item.id !== MARKER_ID) return undefined
  const text = itemValue(item)
  return text === undefined ? undefined : parseMarkerText(text)
}

/** True for a marker, also one that is damaged: what a marker was is never shown. */
export function isMarkerItem(item: Item): boolean {
  const text = itemValue(item)
  return item.id === MARKER_ID && text !== undefined && !isMessageText(text)
}

/** Where the marker stands: the smallest stamp above that of the last shared message. */
export function markerPosition({ through }: ForkMarker): Stamp {
  return stampAfter(through)
}

/** Behind the last position that is shown of what stands before the marker. */
export function sharedEnd({ through, upTo = through }: ForkMarker): Stamp {
  return stampAfter(upTo)
}

/** The stamp right behind this one. */
export function stampAfter(stamp: Stamp): Stamp {
  return stampBeside(stamp, 1n)
}

/** The stamp right before this one. */
export function stampBefore(stamp: Stamp): Stamp {
  return stampBeside(stamp, -1n)
}

/** The stamp so many steps behind this one. */
export function stampBeside(stamp: Stamp, step: bigint): Stamp {
  const digits = (BigInt(`0x${stamp.replaceAll('-', '')}`) + step).toString(16).padStart(32, '0')
  const groups = [8, 12, 16, 20, 32].map((end, i, ends) => digits.slice(ends[i - 1] ?? 0, end))
  const beside = groups.join('-')
  if (isStamp(beside)) return beside
  // All bits of the writer were the same: one in 2 ** 61.
  throw new RangeError(`there is no stamp right beside ${stamp}`)
}
