import type { Conversation } from '../../chat/message.ts'
import { TITLE_BYTES_MAX } from '../../chat/records/record-options.ts'
import type { VoltAgentConversation } from './types.ts'

/** Fields of a record's metadata that are not VoltAgent's own. */
export const RESOURCE = 'voltagent.resourceId'
const NULLS = 'voltagent.nulls'
const TITLE = 'voltagent.title'

/** Characters of a title that always fit into a record. */
const TITLE_LENGTH_MAX = Math.floor(TITLE_BYTES_MAX / 3)

/**
 * The title as a record can have it, and where that is another one, what it is beside: agents cut titles in the middle
 * of a surrogate pair.
 */
export function titleOf(title: string): {
  readonly title: string | null
  readonly field: Readonly<Record<string, string | null>>
} {
  const isLong = Buffer.byteLength(title) > TITLE_BYTES_MAX
  const cut = isLong ? title.slice(0, TITLE_LENGTH_MAX) : title
  const fit = cut.toWellFormed().replaceAll('\0', '\uFFFD')
  const kept = Buffer.byteLength(fit) > TITLE_BYTES_MAX ? fit.slice(0, TITLE_LENGTH_MAX) : fit
  return { title: kept === '' ? null : kept, field: { [TITLE]: kept === title ? null : title } }
}

/** Metadata as a record has it: no field of it is null, so that names of such are kept beside. */
export function fieldsOf(
  resourceId: string,
  metadata: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  const given = Object.entries(metadata).filter(([, value]) => value !== undefined)
  const nulls = given.filter(([, value]) => value === null).map(([name]) => name)
  return {
    ...Object.fromEntries(given),
    [RESOURCE]: resourceId,
    [NULLS]: nulls.length > 0 ? nulls : null,
  }
}

/** A field of metadata as a record takes it, when it is set or removed alone. */
export function fieldAlone(
  before: Readonly<Record<string, unknown>>,
  name: string,
  value: string | null,
): Record<string, unknown> {
  const nulls = (before[NULLS] ?? []) as readonly string[]
  const left = nulls.filter((each) => each !== name)
  return { [name]: value, [NULLS]: left.length > 0 ? left : null }
}

/** A conversation that has a record, as VoltAgent has it. */
export function shownConversation(conversation: Conversation): VoltAgentConversation {
  const { conversationId, owner = '', title = '', createdAt, updatedAt } = conversation
  const {
    [RESOURCE]: resourceId,
    [NULLS]: nulls = [],
    [TITLE]: exactTitle = title,
    ...metadata
  } = conversation.metadata ?? {}
  return {
    id: conversationId,
    resourceId: textOf(resourceId),
    userId: owner,
    title: textOf(exactTitle),
    metadata: { ...nullFields(nulls as readonly string[]), ...metadata },
    createdAt: createdAt!,
    updatedAt: updatedAt ?? createdAt!,
  }
}

/** Empty for what is no text. */
export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

/** Fields of these names that are all null. */
export function nullFields(names: readonly string[]): Record<string, null> {
  return Object.fromEntries(names.map((name) => [name, null]))
}
