import { isoTime, msOfDateTime } from '../../core/iso-time.ts'
import type { ConversationDetails } from '../message.ts'
import type { ConversationRecord } from './record.ts'
import type { LatestRead } from './record-reader.ts'

/** What is shown of a conversation. */
export function conversationOf(
  conversationId: string,
  record: ConversationRecord | undefined,
  { at }: Pick<LatestRead, 'at'>,
): Omit<ConversationDetails, 'messageCount' | 'complete' | 'stamp'> {
  const lastActivityAt = at ?? isoTime(msOfDateTime(record?.created.at) ?? 0)
  if (record === undefined) return { conversationId, lastActivityAt }
  const { title, owner, metadata, created, updatedAt } = record
  return {
    conversationId,
    lastActivityAt,
    ...(title !== undefined && { title }),
    ...(owner !== undefined && { owner: owner.name }),
    metadata,
    createdAt: created.at,
    updatedAt,
  }
}
