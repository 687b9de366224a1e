/*
 * Keys of the base layer. The tenant's length stands before its name, so that no conversation id
 * can reach into another tenant: ('a', 'b:c') and ('a:b', 'c') have different keys.
 */
import { checkText, CONVERSATION_ID_BYTES_MAX, TENANT_BYTES_MAX } from '../core/limits.ts'

const SPACE = 'chat/'

/** What all conversations of a tenant start with. The tenant may be empty. */
export function tenantPrefix(tenant: string): string {
  if (tenant !== '') checkText('tenant', tenant, TENANT_BYTES_MAX)
  return `${SPACE}${tenant.length}:${tenant}:`
}

/** The key of one conversation. */
export function conversationKey(tenant: string, conversationId: string): string {
  checkText('conversationId', conversationId, CONVERSATION_ID_BYTES_MAX)
  return tenantPrefix(tenant) + conversationId
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
