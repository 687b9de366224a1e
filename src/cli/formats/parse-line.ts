import { BadLine } from '../jsonl/bad-line.ts'
import { inexactNumber } from '../jsonl/inexact-number.ts'
import {
  conversationOf,
  parse,
  type ImportedConversation,
  type RefusedMessage,
} from '../jsonl/parse-conversation.ts'
import { isFields } from './fields.ts'
import { IMPORT_FORMATS, type ImportFormat } from './format.ts'
import { formatNamed, recogniseConversation } from './recognise.ts'
import { translate } from './translate.ts'

/** Deepest nesting of a conversation. A message may have less; this is for trees that are written nested. */
export const CONVERSATION_DEPTH_MAX = 10_000
/** Most objects and lists of a conversation. As values they need many times the memory that their text needs. */
export const CONVERSATION_OBJECTS_MAX = 5_000_000

export interface ParseOptions {
  /** The form that the file is in. Default: the one that is recognised. */
  readonly format?: ImportFormat | undefined
  /** The id of the conversation. Default: its own, or one that is made of its messages. */
  readonly conversationId?: string | undefined
}

export interface ParsedLine {
  readonly format: ImportFormat
  /** One; more where a conversation has branches. Their ids are all different. */
  readonly conversations: readonly ImportedConversation[]
  readonly refused: readonly RefusedMessage[]
  /** How many messages were left out on purpose, by the reason. */
  readonly leftOut: ReadonlyMap<string, number>
  /** Names of fields of the conversation that have no place in the store. */
  readonly ignored: readonly string[]
}

/**
 * One conversation of an import file, in whatever form.
 *
 * @throws BadLine when there is none in it.
 */
export function parseLine(text: string, options: ParseOptions = {}): ParsedLine {
  const { conversationId } = options
  checkShape(text)
  const value = parse(text)
  const format = formatOf(value, options)
  if (format === 'everthread') {
    const isNamed = conversationId !== undefined && isFields(value)
    const parsed = conversationOf(isNamed ? { ...value, conversationId } : value, text)
    return { ...parsed, format, conversations: [parsed], leftOut: new Map() }
  }
  const translation = translate(value, formatNamed(format), conversationId)
  const number = inexactNumber(text)
  return {
    ...translation,
    format,
    leftOut:
      number === undefined
        ? translation.leftOut
        : new Map([...translation.leftOut, ['digits of numbers beyond those of a double', 1]]),
  }
}

function formatOf(value: unknown, { format }: ParseOptions): ImportFormat {
  if (format !== undefined) return format
  const found = recogniseConversation(value)
  if (found !== undefined) return found === 'everthread' ? found : found.name
  // Whoever wrote one of these fields means our own form, which says what is wrong with it.
  if (isFields(value) && ('conversationId' in value || 'messages' in value)) return 'everthread'
  throw new BadLine(`is a conversation in none of the known forms: ${IMPORT_FORMATS.join(', ')}`)
}

/** @throws BadLine */
function checkShape(text: string): void {
  // Each level has a bracket at either end.
  if (text.length < 2 * CONVERSATION_DEPTH_MAX) return
  let depth = 0
  let objects = 0
  let isText = false
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (isText) {
      if (unit === BACKSLASH) i++
      else if (unit === QUOTE) isText = false
    } else if (unit === QUOTE) isText = true
    else if (unit === BRACE || unit === BRACKET) {
      depth++
      objects++
    } else if (unit === BRACE_END || unit === BRACKET_END) depth--
    if (depth > CONVERSATION_DEPTH_MAX) {
      throw new BadLine(`is nested more than ${CONVERSATION_DEPTH_MAX} deep`)
    }
    if (objects > CONVERSATION_OBJECTS_MAX) {
      throw new BadLine(`has more than ${CONVERSATION_OBJECTS_MAX} objects and lists`)
    }
  }
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const BRACKET = 0x5b
const BRACKET_END = 0x5d
const BRACE = 0x7b
const BRACE_END = 0x7d
