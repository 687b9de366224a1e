/*
 * Keys of the base layer. The tenant's length stands before its name, so that no conversation id
 * can reach into another tenant: ('a', 'b:c') and ('a:b', 'c') have different keys.
 */
import { checkText, CONVERSATION_ID_BYTES_MAX, TENANT_BYTES_MAX } from '../core/limits.ts'

const SPACE = 'chat/'

/**
 * What a conversation may have beside its messages, each a list under a key of its own, which goes with
 * the conversation: messages that a fork has for itself, other answers of a message, and its forks.
 */
export const SIDE_SPACES = ['shared/', 'alternatives/', 'forks/'] as const

export type SideSpace = (typeof SIDE_SPACES)[number]

/** What all conversations of a tenant start with. The tenant may be empty. */
export function tenantPrefix(tenant: string, space: string = SPACE): string {
  if (tenant !== '') checkText('tenant', tenant, TENANT_BYTES_MAX)
  return `${space}${tenant.length}:${tenant}:`
}

/** The key of one conversation. */
export function conversationKey(tenant: string, conversationId: string): string {
  return sideKey(SPACE, tenant, conversationId)
}

/** The key of one of the lists beside a conversation. */
export function sideKey(space: string, tenant: string, conversationId: string): string {
  checkText('conversationId', conversationId, CONVERSATION_ID_BYTES_MAX)
  return tenantPrefix(tenant, space) + conversationId
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
