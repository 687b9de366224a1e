import type { StampRange } from '../../../core/digest.ts'
import { stampMs } from '../../../core/stamp.ts'
import { DAY_MS } from '../../../core/time.ts'

/** A longer range is looked for in the whole file, not key by key. Milliseconds. */
const WIDE_MS = 7 * DAY_MS
/** No stamp of this protocol is older. 2020-01-01. */
const EPOCH_MS = 1_577_836_800_000

/** What lies in the future, or has no live position, is little, and found by its keys. */
export function isWide({ from, to }: StampRange, nowMs: number): boolean {
  if (stampMs(to) <= EPOCH_MS || stampMs(from) >= nowMs) return false
  return stampMs(to) - stampMs(from) > WIDE_MS
}
