/*
 * Keys of the base layer. The tenant's length stands before its name, so that no conversation id
 * can reach into another tenant: ('a', 'b:c') and ('a:b', 'c') have different keys.
 */
import { invalid } from '../core/errors.ts'
import {
  checkText,
  CONVERSATION_ID_BYTES_MAX,
  KEY_BYTES_MAX,
  TENANT_BYTES_MAX,
} from '../core/limits.ts'

/**
 * Everything that is kept of a tenant: `chat` its messages, `record` what is known of a conversation beside
 * them, `listed` the lists by which conversations are found, `stream` what comes of messages that are being
 * written, `content` what is known of contents, `chunk` their bytes, `adapter` what adapters keep that is no
 * message; the rest is of `SIDE_SPACES`.
 */
export const SPACES = [
  'chat',
  'record',
  'listed',
  'stream',
  'content',
  'chunk',
  'adapter',
  'shared',
  'alternatives',
  'forks',
] as const

export type Space = (typeof SPACES)[number]

/**
 * What a conversation may have beside its messages, each a list under a key of its own, which goes with
 * the conversation: messages that a fork has for itself, other answers of a message, and its forks.
 */
export const SIDE_SPACES = ['shared', 'alternatives', 'forks'] as const

export type SideSpace = (typeof SIDE_SPACES)[number]

/** Longest name of an owner, in UTF-8 bytes. */
export const OWNER_BYTES_MAX = 256

/** What all keys of a tenant in a space start with: its conversations by default. The tenant may be empty. */
export function tenantPrefix(tenant: string, space: Space = 'chat'): string {
  if (tenant !== '') checkText('tenant', tenant, TENANT_BYTES_MAX)
  return `${space}/${tenant.length}:${tenant}:`
}

/** The key of one conversation. */
export function conversationKey(tenant: string, conversationId: string): string {
  return sideKey('chat', tenant, conversationId)
}

/** The key of one of the lists beside a conversation. */
export function sideKey(space: Space, tenant: string, conversationId: string): string {
  checkText('conversationId', conversationId, CONVERSATION_ID_BYTES_MAX)
  return tenantPrefix(tenant, space) + conversationId
}

/** The key of its record: a list with an item for each field. */
export function recordKey(tenant: string, conversationId: string): string {
  return sideKey('record', tenant, conversationId)
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

/** What the lists of all streams of a tenant start with. */
export function tenantStreamsPrefix(tenant: string): string {
  return tenantPrefix(tenant, 'stream')
}

/** What the lists of all streams of a conversation start with. */
export function streamsPrefix(tenant: string, conversationId: string): string {
  checkText('conversationId', conversationId, CONVERSATION_ID_BYTES_MAX)
  return `${tenantStreamsPrefix(tenant)}${conversationId.length}:${conversationId}:`
}

/** The list of the stream of one message. */
export function streamKey(tenant: string, conversationId: string, id: string): string {
  const key = streamsPrefix(tenant, conversationId) + id
  if (Buffer.byteLength(key) <= KEY_BYTES_MAX) return key
  const most = KEY_BYTES_MAX - Buffer.byteLength(key) + Buffer.byteLength(id)
  throw invalid(`id must be at most ${most} bytes here, got ${Buffer.byteLength(id)}`)
}

/** Takes the key of a stream apart; undefined when it is none. */
export function parseStreamKey(
  key: string,
): { readonly tenant: string; readonly conversationId: string; readonly id: string } | undefined {
  const [tenant, rest] = counted(key.startsWith('stream/') ? key.slice('stream/'.length) : '')
  const [conversationId, id] = counted(rest)
  if (tenant === undefined || conversationId === undefined || id === '') return undefined
  return { tenant, conversationId, id }
}

/** `3:abc:rest` as `abc` and `rest`. */
function counted(text: string): readonly [string | undefined, string] {
  const match = /^(\d{1,4}):/.exec(text)
  if (match === null) return [undefined, '']
  const start = match[0].length
  const end = start + Number(match[1])
  return text[end] === ':' ? [text.slice(start, end), text.slice(end + 1)] : [undefined, '']
}
