import type { AssistantMessage, ChatMessage, ToolMessage } from '../../chat/message.ts'
import { printable, printableLine } from './printable.ts'
import type { Terminal } from './terminal.ts'

/** A message for people, and an empty line. What is stored may be of another release, or of somebody else: nothing but being a message is sure. */
export function messageLines(message: ChatMessage, terminal: Terminal): string[] {
  const { id, role, content, createdAt, toolCalls, toolCallId, name, type }: Stored = message
  // An item without a role says what it is by its type.
  const what = textOf(role ?? type)
  const who = name === undefined ? what : `${what} (${textOf(name)})`
  const answers = toolCallId === undefined ? '' : ` answers ${textOf(toolCallId)}`
  const heading =
    terminal.colour('bold', printableLine(who)) +
    terminal.colour('dim', printableLine(`${answers}  ${textOf(createdAt)}  ${textOf(id)}`))
  const body = listOf(content).map(partText)
  const calls = listOf(toolCalls).map((call) => `-> ${JSON.stringify(call)}`)
  const text = [...body, ...calls, ...otherFields(message)].join('\n')
  return [heading, ...(text === '' ? [] : printable(text).split('\n').map(indent)), '']
}

type Stored = { readonly [Field in keyof AssistantMessage | keyof ToolMessage | 'type']?: unknown }

/** What is neither in a content nor known to everyone: the parts of a message, or all of an item. */
function otherFields(message: ChatMessage): string[] {
  const {
    id: _id,
    createdAt: _createdAt,
    role,
    type: _type,
    content,
    ...rest
  } = message as object as Others
  if (role !== undefined && content !== undefined) return []
  const { toolCalls: _calls, toolCallId: _callId, name: _name, metadata: _metadata, ...own } = rest
  const shown = role === undefined ? rest : own
  return Object.keys(shown).length === 0 ? [] : [JSON.stringify(shown)]
}

type Others = { readonly [field: string]: unknown }

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : value === undefined || value === null ? [] : [value]
}

function partText(part: unknown): string {
  if (typeof part === 'string') return part
  const { type, text } = (part ?? {}) as { readonly type?: unknown; readonly text?: unknown }
  return type === 'text' && typeof text === 'string' ? text : JSON.stringify(part)
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function indent(line: string): string {
  return line === '' ? '' : `  ${line}`
}
