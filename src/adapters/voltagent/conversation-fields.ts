import type { Conversation } from '../../chat/message.ts'
import type { VoltAgentConversation } from './types.ts'

/** Fields of a record's metadata that are not VoltAgent's own. */
export const RESOURCE = 'voltagent.resourceId'
const NULLS = 'voltagent.nulls'

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

/** A conversation that has a record, as VoltAgent has it. */
export function shownConversation(conversation: Conversation): VoltAgentConversation {
  const { conversationId, owner = '', title = '', createdAt, updatedAt } = conversation
  const { [RESOURCE]: resourceId, [NULLS]: nulls = [], ...metadata } = conversation.metadata ?? {}
  return {
    id: conversationId,
    resourceId: textOf(resourceId),
    userId: owner,
    title,
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
