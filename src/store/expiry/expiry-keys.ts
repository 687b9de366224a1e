/*
 * What is written beside a value or an item that expires, in the store's own keys:
 *
 *   everthread/expires/at/HOUR/WRITER   a list of what expires within that hour, so that the pass that removes it
 *                                       need not look through everything; one a writer, so that none waits for
 *                                       another
 *   everthread/expires/of/KEY           there while KEY may have something that expires: counts and lists of keys
 *                                       look closer then
 */
import { invalid } from '../../core/errors.ts'
import { decodeJson, encodeJson, isJson, type JsonText } from '../../core/json.ts'
import { KEY_BYTES_MAX } from '../../core/limits.ts'
import type { Operation } from '../../core/operation.ts'
import type { StampClock } from '../../core/stamp.ts'

/** Keys that begin with this are the store's own. */
const OWN = 'everthread/'
export const DUE_PREFIX = 'everthread/expires/at/'
export const MARK_PREFIX = 'everthread/expires/of/'
/** Longest key that may have something that expires, in UTF-8 bytes. */
export const EXPIRING_KEY_BYTES_MAX: number = KEY_BYTES_MAX - MARK_PREFIX.length
/** What expires within one such span is removed together, once the span is over. Milliseconds. */
export const SPAN_MS = 3_600_000
const SPAN_DIGITS = 9

/** What expires, by its key: the value, or the items of these ids. */
export interface DueEntry {
  readonly key: string
  readonly ids?: readonly string[]
}

/** One value, or one item, and its time. */
export interface Expiring {
  readonly id?: string
  readonly expiresAt: number
}

export function isOwnKey(key: string): boolean {
  return key.startsWith(OWN)
}

export function markKey(key: string): string {
  return MARK_PREFIX + key
}

/** The list of a span is due when this has passed. Unix milliseconds; NaN for a key that is none. */
export function spanEnd(dueKey: string): number {
  const digits = dueKey.slice(DUE_PREFIX.length, DUE_PREFIX.length + SPAN_DIGITS)
  return /^\d+$/.test(digits) ? (Number(digits) + 1) * SPAN_MS : Number.NaN
}

/** Refuses a key whose mark would be longer than any key. */
export function checkExpiringKey(key: string): void {
  const bytes = Buffer.byteLength(key)
  if (bytes <= EXPIRING_KEY_BYTES_MAX) return
  throw invalid(`key must be at most ${EXPIRING_KEY_BYTES_MAX} bytes with expiresAt, got ${bytes}`)
}

/** What goes with a value, or with items, of this key that expire. */
export function noteOperations(
  clock: StampClock,
  key: string,
  expiring: readonly Expiring[],
): Operation[] {
  if (expiring.length === 0) return []
  const spans = new Map<string, string[]>()
  for (const { id, expiresAt } of expiring) {
    const dueKey = dueKeyOf(expiresAt, clock.writerId)
    const ids = spans.get(dueKey) ?? []
    if (id !== undefined) ids.push(id)
    spans.set(dueKey, ids)
  }
  const notes = [...spans].map(([dueKey, ids]): Operation => {
    const stamp = clock.tick(dueKey)
    const entry: DueEntry = ids.length === 0 ? { key } : { key, ids }
    const put = { kind: 'put', change: 'append', key: dueKey, value: encodeJson(entry) } as const
    return { ...put, id: stamp, position: stamp, stamp }
  })
  const mark = markKey(key)
  const value = encodeJson(true)
  return [...notes, { kind: 'set', key: mark, value, stamp: clock.tick(mark) }]
}

/** Undefined for a text that is none. */
export function parseDueEntry(text: JsonText): DueEntry | undefined {
  if (!isJson(text)) return undefined
  const { key, ids } = decodeJson<Partial<DueEntry> | null>(text) ?? {}
  if (typeof key !== 'string') return undefined
  return Array.isArray(ids) ? { key, ids } : { key }
}

function dueKeyOf(expiresAt: number, writer: string): string {
  const span = String(Math.floor(expiresAt / SPAN_MS)).padStart(SPAN_DIGITS, '0')
  return `${DUE_PREFIX}${span}/${writer}`
}
