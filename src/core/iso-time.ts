const DAY_MS = 86_400_000
/** Two digits of 0 to 99. */
const PAIRS = Array.from({ length: 100 }, (_, i) => String(i).padStart(2, '0'))
let knownDay = -1
let knownDate = ''

/**
 * A given time as ISO 8601 in UTC. Unix milliseconds. The same as `Date.prototype.toISOString`,
 * which would be a quarter of the cost of reading a page: messages of one page are of few days.
 */
export function isoTime(ms: number): string {
  const day = Math.floor(ms / DAY_MS)
  if (day !== knownDay) {
    // oxlint-disable-next-line no-restricted-globals -- it formats a time and reads no clock
    knownDate = new Date(day * DAY_MS).toISOString().slice(0, -13)
    knownDay = day
  }
  const rest = Math.trunc(ms) - day * DAY_MS
  const seconds = Math.floor(rest / 1_000)
  const minutes = Math.floor(seconds / 60)
  const millis = rest % 1_000
  const fraction = `${String(Math.floor(millis / 100))}${PAIRS[millis % 100]!}`
  return `${knownDate}${PAIRS[Math.floor(minutes / 60)]!}:${PAIRS[minutes % 60]!}:${PAIRS[seconds % 60]!}.${fraction}Z`
}
