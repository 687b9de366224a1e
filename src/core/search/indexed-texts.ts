/*
 * What of an item can be found by a search: the texts of messages and the titles of conversations. Of
 * messages: `content` that is a string, the text of parts, and results of tools. Not in it: tool calls, images
 * and files, whatever looks like base64, names and metadata.
 */
import type { JsonText } from '../json.ts'

/** An item in the words of a search. */
export interface IndexedItem {
  readonly texts: readonly string[]
  /** What all keys of its tenant and kind begin with. */
  readonly prefix: string
  /** Of a message that has one. */
  readonly role?: string
}

/** The id of the item that is a conversation's title, in its record. */
export const TITLE_ID = 'title'

const SPACES = /^(chat|record)\/(\d{1,4}):/
/** Results of tools may be nested; what lies deeper is data. */
const DEPTH_MAX = 8
/** A longer piece of these characters alone is no text. */
const BASE64 = /^(?:data:[^,]*,)?[A-Za-z0-9+/=_\r\n-]{256,}$/
const RESULT_TYPES: readonly unknown[] = [
  'tool-result',
  'tool_result',
  'function_call_output',
  'function_call_result',
]
const RESULT_FIELDS = ['content', 'output', 'result'] as const

type Fields = Readonly<Record<string, unknown>>

/** SQL: the key and the id of what an index has a row for, with or without a text. */
export function isIndexedSql(key: string, isTitle: string): string {
  return `(${key} LIKE 'chat/%' OR (${key} LIKE 'record/%' AND ${isTitle}))`
}

/** The same here. */
export function isIndexed(key: string, id: string): boolean {
  return key.startsWith('chat/') || (key.startsWith('record/') && id === TITLE_ID)
}

/** Undefined for an item that no search finds: of another kind of key, or without a text. */
export function indexedItem(key: string, id: string, value: JsonText): IndexedItem | undefined {
  const space = SPACES.exec(key)
  if (space === null) return undefined
  const isRecord = space[1] === 'record'
  if (isRecord && id !== TITLE_ID) return undefined
  const prefix = key.slice(0, space[0].length + Number(space[2]) + 1)
  if (!prefix.endsWith(':')) return undefined
  const body = parsed(value)
  if (isRecord) return typeof body === 'string' ? { texts: [body], prefix } : undefined
  if (!isFields(body)) return undefined
  const { role, type, content } = body
  // Items of some providers have a type in place of a role.
  if (typeof role !== 'string' && typeof type !== 'string') return undefined
  const texts =
    typeof role === 'string' ? textsOf(content) : [...textsOf(content), ...textsOf([body])]
  if (texts.length === 0) return undefined
  return { texts, prefix, ...(typeof role === 'string' && { role }) }
}

/** Undefined for a text that is no JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

function textsOf(content: unknown): string[] {
  if (typeof content === 'string') return isData(content) ? [] : [content]
  if (!Array.isArray(content)) return []
  return content.filter(isFields).flatMap((part) => {
    const { text } = part
    const own = typeof text === 'string' && !isData(text) ? [text] : []
    if (!RESULT_TYPES.includes(part['type'])) return own
    return [...own, ...RESULT_FIELDS.flatMap((field) => stringsIn(part[field], DEPTH_MAX))]
  })
}

function stringsIn(value: unknown, depth: number): string[] {
  if (typeof value === 'string') return isData(value) ? [] : [value]
  if (typeof value !== 'object' || value === null || depth === 0) return []
  // The names of kinds of parts are nobody's words.
  const entries = Object.entries(value).filter(([name]) => name !== 'type')
  return entries.flatMap(([, each]) => stringsIn(each, depth - 1))
}

function isData(text: string): boolean {
  return text.length >= 256 && BASE64.test(text)
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
