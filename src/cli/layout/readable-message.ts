import type { ChatMessage } from '../../chat/message.ts'
import { isFields } from '../formats/fields.ts'
import type { Fields } from '../formats/format.ts'
import { printable, printableLine } from '../output/printable.ts'

/** A part of a message as people read it: what was said, or data as indented JSON. */
export interface ReadablePart {
  readonly kind: 'text' | 'data'
  readonly text: string
}

/** A message as people read it. Control characters are written as escapes. */
export interface ReadableMessage {
  /** One line: role, name, the call that it answers, time. */
  readonly heading: string
  readonly parts: readonly ReadablePart[]
}

/** Types of parts whose `text` is what was said. */
const SPOKEN = new Set<unknown>(['text', 'input_text', 'output_text', 'summary_text', 'refusal'])

/** The texts, and whatever else was sent or called. What only programs need is left to the other formats. */
export function readableMessage(message: ChatMessage): ReadableMessage {
  const { role, content, createdAt, name, toolCalls, toolCallId } = message as object as Fields
  const heading = [role, name, toolCallId, createdAt].filter((part) => typeof part === 'string')
  const parts: ReadablePart[] = []
  if (typeof content === 'string') parts.push({ kind: 'text', text: shown(content) })
  else if (Array.isArray(content)) parts.push(...content.map(partOf))
  if (Array.isArray(toolCalls)) parts.push(...toolCalls.map(dataOf))
  return {
    heading: line(heading.join(' · ')),
    parts: parts.filter(({ text }) => text !== ''),
  }
}

/** The title of the record, the one that an import kept, or the id. One line. */
export function readableTitle(conversationId: string, first: ChatMessage, known?: string): string {
  if (known !== undefined) return line(known)
  const about: unknown = first.metadata?.['conversation']
  const title = isFields(about) ? about['title'] : undefined
  return line(typeof title === 'string' && title !== '' ? title : conversationId)
}

function partOf(part: unknown): ReadablePart {
  if (isFields(part) && SPOKEN.has(part['type']) && typeof part['text'] === 'string') {
    return { kind: 'text', text: shown(part['text']) }
  }
  return dataOf(part)
}

function dataOf(value: unknown): ReadablePart {
  return { kind: 'data', text: shown(JSON.stringify(value, undefined, 2)) }
}

function line(text: string): string {
  return printableLine(text).toWellFormed()
}

function shown(text: string): string {
  return printable(text.replace(/\r\n?/g, '\n')).toWellFormed()
}
