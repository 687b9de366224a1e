/*
 * A message of Mastra's is one of ours with its `parts`, as those of `UIMessage` are; what else it has stands in
 * the field `mastra`. A signal has no role among providers: it is an item of that type.
 */
import type { MastraDBMessage } from '@mastra/core/memory'
import { itemsOf } from '../../chat/message-items.ts'
import { invalid } from '../../core/errors.ts'
import { checkText, CONVERSATION_ID_BYTES_MAX } from '../../core/limits.ts'
import { showValue } from '../../core/show-value.ts'
import { MESSAGE_ID_BYTES_MAX } from './message-index.ts'
import { plain } from './threads.ts'

/** A message as it stands in a conversation, of this adapter or not. */
export interface StoredMessage {
  readonly id: string
  readonly createdAt: string
  readonly role?: string
  readonly type?: string
  readonly content?: unknown
  readonly parts?: readonly object[]
  readonly mastra?: {
    /** Left out where it is the thread's. */
    readonly resourceId?: string
    readonly type?: string
    /** The content without its parts, or all of it where it has none. */
    readonly content: object
  }
}

/** A thread, as far as messages have to know it. */
export interface OfThread {
  readonly id: string
  readonly resourceId: string | undefined
}

const ROLES = ['user', 'assistant', 'system', 'signal']

/** Refuses, before any effect, what is no message. */
export function checkMessage(name: string, message: MastraDBMessage): void {
  const { id, threadId, role, content, createdAt } = message
  checkText(`${name}.id`, id, MESSAGE_ID_BYTES_MAX)
  checkText(`${name}.threadId`, threadId, CONVERSATION_ID_BYTES_MAX)
  if (!ROLES.includes(role)) {
    throw invalid(`${name}.role must be ${ROLES.join(', ')}, got ${showValue(role)}`)
  }
  if (typeof content !== 'string' && (typeof content !== 'object' || content === null)) {
    throw invalid(`${name}.content must be an object, got ${showValue(content)}`)
  }
  if (createdAt !== undefined && Number.isNaN(new Date(createdAt).getTime())) {
    throw invalid(`${name}.createdAt must be a date, got ${showValue(createdAt)}`)
  }
}

/** What is stored of a message. */
export function storedMessage(message: MastraDBMessage, thread: OfThread): object {
  const { id, role, createdAt, type } = message
  const { parts, ...rest } = contentOf(message.content)
  const hasParts = Array.isArray(parts) && parts.every(isObject)
  const owner = message.resourceId || thread.resourceId
  const mastra = {
    ...(owner !== thread.resourceId && { resourceId: owner }),
    ...(type !== undefined && { type }),
    content: hasParts || parts === undefined ? rest : { parts, ...rest },
  }
  const stored = {
    id,
    ...(role === 'signal' ? { type: role } : { role }),
    createdAt: new Date(createdAt).toISOString(),
    ...(hasParts ? { parts } : { content: null }),
    mastra,
  }
  return itemsOf([stored], 'item')[0]!.value as object
}

/** As JSON keeps it; a text becomes a part, as in Mastra's other stores. */
function contentOf(content: string | object): Record<string, unknown> {
  const whole =
    typeof content === 'string'
      ? { format: 2, content, parts: [{ type: 'text', text: content }] }
      : content
  return plain(whole) as Record<string, unknown>
}

/** A message as Mastra has it; also one that was saved without this adapter. */
export function mastraMessage(stored: StoredMessage, thread: OfThread): MastraDBMessage {
  const { id, role, parts, mastra } = stored
  const { resourceId = thread.resourceId, type, content } = mastra ?? {}
  return {
    id,
    role: role === undefined && mastra !== undefined ? 'signal' : roleOf(role),
    createdAt: new Date(stored.createdAt),
    threadId: thread.id,
    ...(resourceId !== undefined && resourceId !== '' && { resourceId }),
    ...(type !== undefined && { type }),
    content: (content === undefined
      ? { format: 2, parts: parts ?? partsOf(stored.content) }
      : { ...content, ...(parts !== undefined && { parts }) }) as MastraDBMessage['content'],
  }
}

function roleOf(role: string | undefined): 'user' | 'assistant' | 'system' {
  if (role === 'user' || role === 'system') return role
  return role === 'developer' ? 'system' : 'assistant'
}

function partsOf(content: unknown): readonly unknown[] {
  if (typeof content === 'string') return [{ type: 'text', text: content }]
  return Array.isArray(content) ? content : []
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The latest change of content: fields one by one, and so its metadata. */
export function mergedContent(
  content: MastraDBMessage['content'],
  change: object,
): MastraDBMessage['content'] {
  const { metadata } = change as { metadata?: object }
  const both = content.metadata && metadata && { ...content.metadata, ...metadata }
  return { ...content, ...change, ...(both && { metadata: both as Record<string, unknown> }) }
}
