import type { ConversationRecord } from '../../chat/records/record.ts'
import { NEW_CONVERSATION, type NewConversation } from '../../chat/records/record-options.ts'
import { isStorageError } from '../../core/errors.ts'
import { msOfDateTime } from '../../core/iso-time.ts'
import { stampFloor, type Stamp } from '../../core/stamp.ts'

/** What a line says of its conversation beside the messages. */
export interface RecordFields {
  /** Undefined when it says nothing that a record takes. */
  readonly record: NewConversation | undefined
  /** Names of the other fields, and of those with something that no record takes. */
  readonly ignored: readonly string[]
}

/** Of these fields those that a record has. */
export function recordFields(fields: Readonly<Record<string, unknown>>): RecordFields {
  const taken: [string, unknown][] = []
  const ignored: string[] = []
  for (const [name, value] of Object.entries(fields)) {
    const option = Object.hasOwn(NEW_CONVERSATION, name)
      ? NEW_CONVERSATION[name as keyof NewConversation]
      : undefined
    try {
      if (option === undefined) ignored.push(name)
      else taken.push([name, option.check(name, value)])
    } catch (error) {
      if (!isStorageError(error, 'INVALID_ARGUMENT')) throw error
      ignored.push(name)
    }
  }
  const record = taken.length === 0 ? undefined : Object.fromEntries(taken)
  return { record, ignored }
}

/** Where a conversation without messages stands among the others. */
export function beginningOf({ created }: ConversationRecord): Stamp {
  return stampFloor(msOfDateTime(created.at) ?? 0)
}

/** The same of a record, as a line of an export has them. */
export function fieldsOfRecord(record: ConversationRecord): NewConversation {
  const { title, owner, metadata, created } = record
  return {
    ...(title !== undefined && { title }),
    ...(owner !== undefined && { owner: owner.name }),
    ...(Object.keys(metadata).length > 0 && { metadata }),
    createdAt: created.at,
  }
}
