/*
 * A thread is the record of a conversation: its owner is the thread's resource. What a record does not take as it
 * is stands in fields of its metadata whose names begin with `mastra:`.
 */
import type { StorageThreadType } from '@mastra/core/memory'
import { invalid } from '../../core/errors.ts'
import { msOfDateTime } from '../../core/iso-time.ts'
import { stampMs, type Stamp } from '../../core/stamp.ts'
import type { ConversationRecord } from '../../chat/records/record.ts'
import { TITLE_BYTES_MAX } from '../../chat/records/record-options.ts'

const OWN = 'mastra:'
/** When the thread was changed last, except by new messages. ISO 8601. */
export const UPDATED = 'mastra:updated'
/** A title that the record cannot have: an empty one, one that is too long, or is no well-formed text. */
const TITLE = 'mastra:title'
/** Set where the order of saving is not that of `createdAt`, or messages have other resources than the thread. */
export const IRREGULAR = 'mastra:irregular'
/** Metadata that would be taken for none: null, which in a record means that there is no such field. */
const WRAPPED = 'mastra:value'

/** Metadata as Mastra's other stores keep it: what JSON has no words for is left out. */
export function metadataFields(
  metadata: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  const fields = Object.entries(plain(metadata)).map(([name, value]) => {
    if (name.startsWith(OWN)) throw invalid(`metadata must not name ${OWN}…, got ${name}`)
    const isWrapped = value === null || (typeof value === 'object' && WRAPPED in value)
    return [name, isWrapped ? { [WRAPPED]: value } : value] as const
  })
  return Object.fromEntries(fields)
}

/** A title, and the field for one that the record does not take. */
export function titleFields(title: string | undefined): {
  readonly title: string | null
  readonly metadata: Record<string, unknown>
} {
  const shown = title && cut(title.replaceAll('\0', '').toWellFormed())
  return {
    title: shown === undefined || shown === '' ? null : shown,
    metadata: { [TITLE]: shown === title && title !== '' ? null : title },
  }
}

function cut(title: string): string {
  let short = title.slice(0, TITLE_BYTES_MAX)
  while (Buffer.byteLength(short.toWellFormed()) > TITLE_BYTES_MAX) short = short.slice(0, -1)
  return short.toWellFormed()
}

/** @param latest Where its latest message stands: adding one counts as a change of the thread. */
export function threadOf(
  id: string,
  record: ConversationRecord,
  latest: Stamp | undefined,
): StorageThreadType {
  const { metadata: fields, owner, created } = record
  const own = Object.entries(fields).filter(([name]) => !name.startsWith(OWN))
  const title = fields[TITLE] as string | undefined
  const shown = title ?? record.title
  const saved = latest === undefined ? 0 : stampMs(latest)
  return {
    id,
    ...(shown !== undefined && { title: shown }),
    resourceId: owner?.name ?? '',
    metadata: Object.fromEntries(own.map(([name, value]) => [name, unwrapped(value)])),
    createdAt: new Date(created.at),
    updatedAt: new Date(
      Math.max(saved, msOfDateTime(fields[UPDATED]) ?? msOfDateTime(record.updatedAt) ?? 0),
    ),
  }
}

function unwrapped(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !(WRAPPED in value)) return value
  return value[WRAPPED]
}

/** Names of all fields of Mastra's that a record has, for a thread that is saved anew. */
export function withoutFields(record: ConversationRecord): Record<string, unknown> {
  const names = Object.keys(record.metadata).filter((name) => name !== IRREGULAR)
  return Object.fromEntries(names.map((name) => [name, null]))
}

/** As JSON would keep it. */
export function plain<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T
}
