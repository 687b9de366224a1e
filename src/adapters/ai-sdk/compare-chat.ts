import { randomUUID } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type { UIMessage } from 'ai'
import { decodeJson, encodeJson } from '../../core/json.ts'
import { invalid } from '../../core/errors.ts'
import { checkArray } from '../../core/limits.ts'
import { showValue } from '../../core/show-value.ts'
import { isOpen, type Part } from './answer-parts.ts'
import { isUI, shownMessage, type Kept, type Row } from './chat-rows.ts'

/** How a chat that was handed over differs from the one that stands. */
export interface ChatDifference {
  /** To be appended. */
  readonly fresh: readonly Kept[]
  /** To be replaced. */
  readonly changed: readonly { readonly id: string; readonly message: Kept }[]
  /** What stands and was not handed over. */
  readonly left: readonly Row[]
  /** What was handed over, as it stands afterwards. */
  readonly standing: readonly UIMessage[]
}

/**
 * Finds each message by its id; one whose id is unknown also by its content, right behind the one before it, since
 * some clients send the history under new ids, or know an answer by another id.
 */
export function compare(rows: readonly Row[], messages: readonly UIMessage[]): ChatDifference {
  checkArray('messages', messages)
  const sents = messages.map(plain)
  const given = new Set(sents.map(({ id }) => id))
  const places = new Map(rows.map(({ id }, i) => [id, i]))
  const fresh: Kept[] = []
  const changed: { id: string; message: Kept }[] = []
  const standing: UIMessage[] = []
  const found = new Set<Row>()
  let at = -1
  for (const sent of sents) {
    const next = rows[at + 1]
    const known = places.get(sent.id)
    const isNext = next !== undefined && !given.has(next.id) && isCopy(next, sent)
    at = known ?? (isNext ? at + 1 : rows.length)
    const row = rows[at]
    if (row !== undefined) found.add(row)
    if (row !== undefined && (row.status === 'in_progress' || isSame(row, sent))) {
      standing.push(row.message)
      continue
    }
    const message = stored(
      { ...sent, id: row?.id ?? (sent.id === '' ? randomUUID() : sent.id) },
      row,
    )
    if (row === undefined) fresh.push(message)
    else changed.push({ id: row.id, message })
    standing.push(shownMessage(message))
  }
  const left = rows.filter((row) => !found.has(row) && row.status !== 'in_progress')
  return { fresh, changed, left, standing }
}

type Sent = Kept & Pick<UIMessage, 'role'>

/** As it will be read back: without what is undefined. */
function plain(message: UIMessage, i: number): Sent {
  const name = `messages[${i}]`
  const sent = decodeJson<Sent & { id?: string }>(encodeJson(message, name))
  if (!isUI(sent)) throw invalid(`${name} must have a role and parts, got ${showValue(message)}`)
  return { ...sent, id: sent.id ?? '' }
}

/** What is stored of it. An answer that ends within a part was cut off, whatever its sender says. */
function stored(message: Sent, row: Row | undefined): Sent {
  const isCut = message.role === 'assistant' && message.parts.some(isOpen)
  const status = isCut ? 'incomplete' : row?.status
  return { ...message, ...(status !== undefined && { status }) }
}

function isCopy(row: Row, sent: Sent): boolean {
  if (row.message.role !== sent.role || sent.parts.length === 0) return false
  if (isDeepStrictEqual(row.message.parts, sent.parts)) return true
  return sent.role === 'assistant' && isBehind(sent.parts, row.parts)
}

/** True for what changes nothing: also for a copy that has not got all that stands. */
function isSame({ message, parts }: Row, sent: Sent): boolean {
  const isAll = [message.parts, parts].some((each) => isDeepStrictEqual(each, sent.parts))
  if (!isAll) return sent.role === 'assistant' && isBehind(sent.parts, parts)
  return sent.metadata === undefined || isDeepStrictEqual(message.metadata, sent.metadata)
}

/** True for parts of an answer that had come when more of it had not. */
function isBehind(sent: readonly Part[], parts: readonly Part[]): boolean {
  if (sent.length > parts.length) return false
  return sent.every((part, i) => isPartBehind(part, parts[i]!))
}

function isPartBehind(part: Part, stands: Part): boolean {
  if (isDeepStrictEqual(part, stands)) return true
  if (part.type !== stands.type || part['toolCallId'] !== stands['toolCallId']) return false
  if (!isOpen(part)) return progress(part) < progress(stands)
  const field = part['toolCallId'] === undefined ? 'text' : isOpen(stands) ? 'rawInput' : undefined
  return field === undefined || textIn(stands, field).startsWith(textIn(part, field))
}

function textIn(part: Part, field: string): string {
  return (part[field] as string | undefined) ?? ''
}

/** How far a call is. Of two that are as far, the one that was sent counts. */
function progress({ state }: Part): number {
  if (String(state).startsWith('output-')) return CALL_STATES.length
  return CALL_STATES.indexOf(state)
}

const CALL_STATES: readonly unknown[] = [
  'input-available',
  'approval-requested',
  'approval-responded',
]
