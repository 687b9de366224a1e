import { isDateTime, isoTime } from '../../core/iso-time.ts'
import { BadLine } from '../jsonl/bad-line.ts'
import type { Draft, Fields, SourceNode } from './format.ts'

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** @throws BadLine */
export function fieldsOf(value: unknown, name: string): Fields {
  if (isFields(value)) return value
  throw new BadLine(`${name} must be an object`)
}

/** @throws BadLine */
export function listOf(value: unknown, name: string): readonly unknown[] {
  if (Array.isArray(value)) return value as readonly unknown[]
  throw new BadLine(`${name} must be an array`)
}

export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** All fields but these. One that is named `__proto__` stays a field. */
export function without(fields: Fields, names: readonly string[]): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => !names.includes(name)))
}

/** The fields that have a value. */
export function present(fields: Fields): Fields {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined && value !== null),
  )
}

/** A list is a tree without branches. */
export function chain(
  messages: readonly unknown[],
  idOf: (message: Fields) => unknown = () => undefined,
): SourceNode[] {
  return messages.map((raw, i) => ({
    key: `${i}`,
    parent: i === 0 ? undefined : `${i - 1}`,
    id: isFields(raw) ? idOf(raw) : undefined,
    raw,
  }))
}

/** From these on a number of a time counts milliseconds, microseconds, nanoseconds: as seconds it is the year 5138. */
const MILLIS_MIN = 1e11
const MICROS_MIN = 1e14
const NANOS_MIN = 1e17

/**
 * A time as RFC 3339, of a number since 1970 or of a text; one without an offset is UTC. Undefined for what is
 * no time.
 */
export function timeOf(value: unknown): string | undefined {
  if (typeof value === 'number') return timeOfNumber(value)
  if (typeof value !== 'string') return undefined
  const text = value.replace(/^(\d{4}-\d\d-\d\d) /, '$1T')
  return [text, `${text}Z`].find(isDateTime)
}

function timeOfNumber(value: number): string | undefined {
  if (!Number.isFinite(value)) return undefined
  const size = Math.abs(value)
  const perMs =
    size >= NANOS_MIN ? 1e6 : size >= MICROS_MIN ? 1e3 : size >= MILLIS_MIN ? 1 : undefined
  // Rounded down from a sum with half a microsecond: 1.001 * 1000 is a little less than 1001.
  const ms = perMs === undefined ? Math.floor(value * 1000 + 0.0005) : Math.floor(value / perMs)
  if (Math.abs(ms) > 8.64e15) return undefined
  const time = isoTime(ms)
  return isDateTime(time) ? time : undefined
}

export interface DraftParts {
  readonly role: unknown
  readonly content: unknown
  /** The time as the file has it, under the name of its field: kept there if it cannot be read. */
  readonly time?: readonly [field: string, value: unknown]
  readonly name?: unknown
  readonly toolCalls?: unknown
  readonly toolCallId?: unknown
  /** Metadata that the message brings itself. */
  readonly own?: Fields
}

/** A message of these parts; what else the file says of it is kept whole under `metadata`. */
export function draftOf(format: string, parts: DraftParts, rest: Fields): Draft {
  const { role, content, time, name, toolCalls, toolCallId, own = {} } = parts
  const createdAt = timeOf(time?.[1])
  const unread = createdAt === undefined && time !== undefined ? { [time[0]]: time[1] } : {}
  const extras = Object.fromEntries(
    Object.entries({ ...rest, ...unread }).filter(([, value]) => !saysNothing(value)),
  )
  const metadata = Object.keys(extras).length === 0 ? own : withField(own, format, extras)
  return {
    role,
    content,
    ...present({ createdAt, name, toolCalls, toolCallId }),
    ...(Object.keys(metadata).length > 0 && { metadata }),
  }
}

function saysNothing(value: unknown): boolean {
  if (typeof value !== 'object') return value === undefined
  return value === null || Object.keys(value).length === 0
}

/** Metadata with one more field. If it has one of that name, what it was is kept whole beside. */
export function withField(metadata: Fields, name: string, value: unknown): Fields {
  return Object.hasOwn(metadata, name)
    ? { [name]: value, metadata }
    : { ...metadata, [name]: value }
}
