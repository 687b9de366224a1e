/*
 * Keys of the base layer. The tenant's length stands before its name, so that no conversation id
 * can reach into another tenant: ('a', 'b:c') and ('a:b', 'c') have different keys.
 */
import { checkText, CONVERSATION_ID_BYTES_MAX, TENANT_BYTES_MAX } from '../core/limits.ts'

/**
 * Everything that is kept of a tenant: `chat` its messages, `record` what is known of a conversation beside
 * them, `listed` the lists by which conversations are found, `content` what is known of contents, `chunk` their
 * bytes.
 */
export const SPACES = ['chat', 'record', 'listed', 'content', 'chunk'] as const

export type Space = (typeof SPACES)[number]

/** Longest name of an owner, in UTF-8 bytes. */
export const OWNER_BYTES_MAX = 256

/** What all keys of a tenant in a space start with: its conversations by default. The tenant may be empty. */
export function tenantPrefix(tenant: string, space: Space = 'chat'): string {
  if (tenant !== '') checkText('tenant', tenant, TENANT_BYTES_MAX)
  return `${space}/${tenant.length}:${tenant}:`
}

/** The key of one conversation. */
export function conversationKey(tenant: string, conversationId: string): string {
  checkText('conversationId', conversationId, CONVERSATION_ID_BYTES_MAX)
  return tenantPrefix(tenant) + conversationId
}

/** The key of its record: a list with an item for each field. */
export function recordKey(tenant: string, conversationId: string): string {
  checkText('conversationId', conversationId, CONVERSATION_ID_BYTES_MAX)
  return tenantPrefix(tenant, 'record') + conversationId
}

/** The list of a tenant's, or an owner's, conversations by the time of their creation. */
export function createdKey(tenant: string, owner = ''): string {
  return `${tenantPrefix(tenant, 'listed')}c${owner}`
}

/** The list of an owner's conversations by their activity. */
export function activeKey(tenant: string, owner: string): string {
  return `${tenantPrefix(tenant, 'listed')}a${owner}`
}

/** Takes a key apart; undefined when it is not the key of a conversation. */
export function parseConversationKey(
  key: string,
): { readonly tenant: string; readonly conversationId: string } | undefined {
  const match = /^chat\/(\d{1,4}):/.exec(key)
  if (match === null) return undefined
  const start = match[0].length
  const end = start + Number(match[1])
  if (key[end] !== ':') return undefined
  return { tenant: key.slice(start, end), conversationId: key.slice(end + 1) }
}
