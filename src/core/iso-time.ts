import { DAY_MS } from './time.ts'

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

/** RFC 3339, section 5.6: `date-time`. An offset is part of it, and so is the time of day. */
const DATE_TIME =
  /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.\d+)?(?:[Zz]|[+-](\d\d):(\d\d))$/

/** True for a time as RFC 3339 writes it, such as `2026-01-01T12:00:00Z` or `…12:00:00.5+02:00`. */
export function isDateTime(text: unknown): text is string {
  if (typeof text !== 'string') return false
  const fields = DATE_TIME.exec(text)
    ?.slice(1)
    .map((field) => Number(field ?? 0))
  if (fields === undefined) return false
  const [year, month, day, hour, minute, second, offsetHour, offsetMinute] = fields as Fields
  if (month < 1 || month > 12 || day < 1 || day > daysOf(year, month)) return false
  // 60: a leap second.
  return hour <= 23 && minute <= 59 && second <= 60 && offsetHour <= 23 && offsetMinute <= 59
}

type Fields = [number, number, number, number, number, number, number, number]

function daysOf(year: number, month: number): number {
  if (month !== 2) return [4, 6, 9, 11].includes(month) ? 30 : 31
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28
}

/** The time that such a text says, in Unix milliseconds; undefined for any other text. */
export function msOfDateTime(text: unknown): number | undefined {
  if (!isDateTime(text)) return undefined
  // A leap second has no number of its own: it counts as the one before.
  const parseable = text.replace(/:60(?=[.Zz+-])/, ':59')
  // oxlint-disable-next-line no-restricted-globals -- it reads a text and no clock
  const ms = Date.parse(parseable.toUpperCase())
  return Number.isNaN(ms) ? undefined : ms
}
