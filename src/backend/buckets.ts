import type { StampRange } from '../core/digest.ts'
import { STAMP_MAX, STAMP_MIN, stampFloor, stampMs, type Stamp } from '../core/stamp.ts'

/** A bucket while it is being filled. */
export interface Bucket {
  readonly from: Stamp
  readonly to: Stamp
  count: number
  low: number
  high: number
}

/** Cuts a range into at most `count` buckets of equal time, without gaps. */
export function bucketsOf(range: StampRange, count: number): Bucket[] {
  const first = stampMs(range.from)
  const last = stampMs(range.to)
  const step = Math.max(1, Math.ceil((last - first) / count))
  const edges: Stamp[] = [range.from]
  for (let ms = first + step; ms < last && edges.length < count; ms += step) {
    edges.push(stampFloor(ms))
  }
  edges.push(range.to)
  const buckets: Bucket[] = []
  for (let i = 0; i + 1 < edges.length; i++) {
    buckets.push({ from: edges[i]!, to: edges[i + 1]!, count: 0, low: 0, high: 0 })
  }
  return buckets
}

/** Everything. */
export const WHOLE_RANGE: StampRange = { from: STAMP_MIN, to: STAMP_MAX }
