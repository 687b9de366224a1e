import { compareText } from '../../core/text.ts'
import { exportMessage, type ExportFormat } from '../jsonl/export-message.ts'
import type { ConversationSource } from './conversation-source.ts'
import type { ExportReport } from './export-report.ts'

/** Text that is gathered before it is written. */
const WRITE_CHARS = 256 * 1024

export interface ExportOptions {
  readonly source: ConversationSource
  /** Only these; all when empty. */
  readonly conversations: readonly string[]
  readonly format: ExportFormat
  readonly write: (text: string) => Promise<void>
  /** Aborted to stop behind the line that is being written. */
  readonly signal: AbortSignal
  readonly onProgress: (progress: ExportProgress) => void
}

export interface ExportProgress {
  readonly done: number
  readonly total: number
  readonly messages: number
}

/**
 * Writes one line a conversation, sorted by conversation id (by code point): the order depends on
 * nothing but the ids, so the same content always makes the same bytes. The memory it needs grows
 * with a page of messages, not with a conversation.
 */
export async function exportConversations(options: ExportOptions): Promise<ExportReport> {
  const { source, conversations, signal, onProgress } = options
  const startedAt = performance.now()
  const ids = await idsOf(source, conversations)
  const missing: string[] = []
  let messages = 0
  let complete = true
  let written = 0
  let stoppedAt: string | undefined
  for (const [index, id] of ids.entries()) {
    if (signal.aborted) {
      stoppedAt = id
      break
    }
    const line = await exportOne(id, options)
    complete &&= line.complete
    if (line.messages === 0) missing.push(id)
    else written++
    messages += line.messages
    onProgress({ done: index + 1, total: ids.length, messages })
  }
  return {
    conversations: written,
    messages,
    // A conversation that was listed and is gone now was cleared meanwhile: nothing is missing.
    missing: conversations.length > 0 ? missing : [],
    complete,
    seconds: Math.round(performance.now() - startedAt) / 1000,
    ...(stoppedAt !== undefined && { stoppedAt }),
  }
}

async function idsOf(
  source: ConversationSource,
  wanted: readonly string[],
): Promise<readonly string[]> {
  const ids = wanted.length > 0 ? wanted : await source.conversationIds()
  return [...new Set(ids)].sort(compareText)
}

async function exportOne(
  conversationId: string,
  { source, format, write }: ExportOptions,
): Promise<{ readonly messages: number; readonly complete: boolean }> {
  let text = `{"conversationId":${JSON.stringify(conversationId)},"messages":[`
  let index = 0
  let complete = true
  for await (const batch of source.batches(conversationId)) {
    complete &&= batch.complete
    for (const message of batch.messages) {
      text += `${index === 0 ? '' : ','}${JSON.stringify(exportMessage(message, index, format))}`
      index++
      if (text.length < WRITE_CHARS) continue
      await write(text)
      text = ''
    }
  }
  if (index > 0) await write(`${text}]}\n`)
  return { messages: index, complete }
}
