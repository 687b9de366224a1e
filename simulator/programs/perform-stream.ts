import type { ChatHistory } from '../../src/chat/chat-history.ts'
import { isStorageError, type Effect, type StorageErrorCode } from '../../src/core/errors.ts'
import { STREAM_CONVERSATION, type CallStep } from './program.ts'

/** Longer than any program: whoever goes on with a message is another test's. */
const LEASE_MS = 86_400_000

/** How far a stream came. */
export interface StreamResult {
  readonly flushedMs: readonly number[]
  readonly isStarted: boolean
  readonly ended?: string
}

/** How the step ended. */
interface StreamOutcome {
  readonly settledMs: number
  readonly outcome: 'ok' | Effect
  readonly code?: StorageErrorCode
  readonly surprise?: string
  readonly result: { readonly stream: StreamResult }
}

/** What a page says of such a message. */
interface StreamView {
  readonly complete: boolean
  readonly view: { readonly content?: string; readonly status?: string }
}

/** Writes a message part by part; what fails ends the step, and says how far it came. */
export async function performStream(
  history: ChatHistory,
  { id, parts, end }: CallStep & { readonly act: 'stream' },
  now: () => number,
): Promise<StreamOutcome> {
  const flushedMs: number[] = []
  let isStarted = false
  try {
    const options = { leaseMs: LEASE_MS }
    const stream = await history.startMessage(
      STREAM_CONVERSATION,
      { role: 'assistant', id },
      options,
    )
    isStarted = true
    flushedMs.push(now())
    for (const part of parts) {
      await stream.append(part)
      await stream.flush()
      flushedMs.push(now())
    }
    if (end !== 'leave') await stream[end]()
    const ended = end === 'leave' ? {} : { ended: end === 'finish' ? 'completed' : 'incomplete' }
    const result = { stream: { flushedMs, isStarted, ...ended } }
    return { settledMs: now(), outcome: 'ok', result }
  } catch (error) {
    const result = { stream: { flushedMs, isStarted: isStarted || !hasNoEffect(error) } }
    if (!isStorageError(error)) {
      return { settledMs: now(), outcome: 'unknown', surprise: `stream: ${String(error)}`, result }
    }
    return { settledMs: now(), outcome: error.effect, code: error.code, result }
  }
}

/** What a page shows of such a message. */
export async function viewStream(history: ChatHistory, id: string): Promise<StreamView> {
  const { messages, complete } = await history.getHistory(STREAM_CONVERSATION, { limit: 1_000 })
  const message = messages.find((each) => each.id === id)
  if (message === undefined) return { complete, view: {} }
  const { content, status } = message
  return { complete, view: { content: textOf(content), ...(status !== undefined && { status }) } }
}

function hasNoEffect(error: unknown): boolean {
  return isStorageError(error) && error.effect === 'none'
}

function textOf(content: unknown): string {
  return typeof content === 'string' ? content : JSON.stringify(content)
}
