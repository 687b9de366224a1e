import type { LatestKey } from '../backend/replica-backend.ts'
import { invalid } from '../core/errors.ts'
import { showValue } from '../core/show-value.ts'
import { isStamp, type Stamp } from '../core/stamp.ts'
import { conversationKey } from './keys.ts'

const STAMP_LENGTH = 36

/** A cursor into a conversation is a position. */
export function parseCursor(name: string, cursor: string): Stamp {
  if (!isStamp(cursor))
    throw invalid(`${name} must be a cursor of a page, got ${showValue(cursor)}`)
  return cursor
}

/** A cursor into the list of conversations: the last one's latest position and its id. */
export function formatLatestCursor(latest: Stamp, conversationId: string): string {
  return latest + conversationId
}

export function parseLatestCursor(tenant: string, cursor: string): LatestKey {
  const text = typeof cursor === 'string' ? cursor : ''
  const latest = text.slice(0, STAMP_LENGTH)
  const conversationId = text.slice(STAMP_LENGTH)
  if (!isStamp(latest) || conversationId === '') {
    throw invalid(`before must be a cursor of a page, got ${showValue(cursor)}`)
  }
  return { latest, key: conversationKey(tenant, conversationId) }
}
