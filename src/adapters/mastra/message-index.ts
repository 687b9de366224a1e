/*
 * Mastra names messages by their id alone. Which thread has a message stands under a key for each, written in the
 * group that saves it. An entry whose message is no more, in a thread that was cleared without this adapter, says
 * nothing: whoever finds one looks into the thread.
 */
import { tenantPrefix } from '../../chat/keys.ts'
import { KEY_BYTES_MAX } from '../../core/limits.ts'

/** Longest id of a message, in UTF-8 bytes: it is part of a key, beside the longest name of a tenant. */
export const MESSAGE_ID_BYTES_MAX: number = KEY_BYTES_MAX - 290

/** Where a message is. */
export interface MessagePlace {
  readonly thread: string
  /** Its `createdAt`. */
  readonly at: string
}

/** Among the lists by which a tenant's conversations are found, so that an erase of the tenant takes it along. */
export function messageKey(tenant: string, id: string): string {
  return `${tenantPrefix(tenant, 'listed')}mastra/m/${id}`
}

/** What is kept of a resource. */
export function resourceKey(tenant: string, id: string): string {
  return `${tenantPrefix(tenant, 'listed')}mastra/r/${id}`
}
