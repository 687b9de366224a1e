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

const SPACE = 'chat/'
/** What streams append to messages that are being written: a list for each. */
const STREAMS = 'stream/'

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

/** What the lists of all streams of a tenant start with. */
export function tenantStreamsPrefix(tenant: string): string {
  return tenantPrefix(tenant).replace(SPACE, STREAMS)
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
  const [tenant, rest] = counted(key.startsWith(STREAMS) ? key.slice(STREAMS.length) : '')
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
