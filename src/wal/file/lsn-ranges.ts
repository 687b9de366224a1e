import type { LsnRange } from '../pending-index.ts'
import type { Lsn } from '../wal.ts'

/** Asks for LSNs in rising order whether the ranges contain them. */
export class LsnRanges {
  readonly #ranges: readonly LsnRange[]
  #at = 0

  constructor(ranges: readonly LsnRange[]) {
    this.#ranges = ranges
  }

  has(lsn: Lsn): boolean {
    while (this.#at < this.#ranges.length && this.#ranges[this.#at]![1] < lsn) this.#at++
    const range = this.#ranges[this.#at]
    return range !== undefined && range[0] <= lsn
  }
}

/** The first LSN up to `last` that is in no range and that `isExcused` does not excuse. */
export function firstMissing(
  ranges: readonly LsnRange[],
  last: Lsn,
  isExcused: (lsn: Lsn) => boolean,
): Lsn | undefined {
  let next = 1
  for (const [first, end] of [...ranges, [last + 1, last + 1] as const]) {
    for (; next < Math.min(first, last + 1); next++) if (!isExcused(next)) return next
    next = Math.max(next, end + 1)
  }
  return undefined
}
