import { refsIn, type ContentRef } from '../../chat/content/content-ref.ts'
import { isStorageError } from '../../core/errors.ts'
import { compareText } from '../../core/text.ts'
import type { Stamp } from '../../core/stamp.ts'
import type { ExportLayout } from '../layout/export-layout.ts'
import { layoutOf, type LayoutName } from '../layout/layout-of.ts'
import type { ConversationSource } from './conversation-source.ts'
import type { DamagedPart, ExportReport } from './export-report.ts'

/** First messages that are looked up at the same time. */
const LOOKUPS_IN_FLIGHT = 16

/** Text that is gathered before it is written. */
const WRITE_CHARS = 256 * 1024

export interface ExportOptions {
  readonly source: ConversationSource
  /** Only these; all when empty. */
  readonly conversations: readonly string[]
  readonly format: LayoutName
  /** Write what messages refer to, too, before the first line that refers to it. Default: false. */
  readonly withContent?: boolean
  readonly write: (text: string) => Promise<void>
  /** Bytes from which on a conversation goes on in another line. Default: 32 MiB. */
  readonly lineBytes?: number
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
 * Writes conversations in the order in which they began: by the position of the first message, which no outage, replay or copy changes. So the same content always makes the same
 * bytes, and an import of them begins the conversations in the same order again. The memory it
 * needs grows with a page of messages and with the number of conversations, not with their length.
 */
export async function exportConversations(options: ExportOptions): Promise<ExportReport> {
  const { source, conversations, format, lineBytes, write, signal, onProgress } = options
  const layout = layoutOf(format, lineBytes)
  const startedAt = performance.now()
  const { ids, missing, unreadable } = await idsOf(source, conversations)
  let messages = 0
  let complete = true
  let written = 0
  const contents = new Set<ContentRef>()
  let stoppedAt: string | undefined
  const damaged: DamagedPart[] = unreadable.map((conversationId) => ({ conversationId }))
  if (layout.begin !== '') await write(layout.begin)
  for (const [index, id] of ids.entries()) {
    if (signal.aborted) {
      stoppedAt = id
      break
    }
    if (options.withContent === true) damaged.push(...(await exportContents(id, contents, options)))
    const line = await exportOne(id, layout, options)
    complete &&= line.complete
    damaged.push(...line.damaged)
    if (line.isWritten) written++
    messages += line.messages
    onProgress({ done: index + 1, total: ids.length, messages })
  }
  if (layout.end !== '') await write(layout.end)
  return {
    conversations: written,
    messages,
    contents: contents.size,
    missing: conversations.length > 0 ? missing : [],
    damaged,
    complete,
    seconds: Math.round(performance.now() - startedAt) / 1000,
    ...(stoppedAt !== undefined && { stoppedAt }),
  }
}

/** The conversations in their order, those that are not there, and those that cannot be read. */
async function idsOf(
  source: ConversationSource,
  wanted: readonly string[],
): Promise<{
  readonly ids: readonly string[]
  readonly missing: readonly string[]
  readonly unreadable: readonly string[]
}> {
  const ids = [...new Set(wanted.length > 0 ? wanted : await source.conversationIds())]
  const begun: { readonly id: string; readonly first: Stamp }[] = []
  const missing: string[] = []
  const unreadable: string[] = []
  for (let start = 0; start < ids.length; start += LOOKUPS_IN_FLIGHT) {
    await Promise.all(
      ids.slice(start, start + LOOKUPS_IN_FLIGHT).map(async (id) => {
        try {
          const first = await source.firstPosition(id)
          if (first === undefined) missing.push(id)
          else begun.push({ id, first })
        } catch (error) {
          if (!isStorageError(error, 'CORRUPT')) throw error
          unreadable.push(id)
        }
      }),
    )
  }
  begun.sort((a, b) => compareText(a.first, b.first) || compareText(a.id, b.id))
  return {
    ids: begun.map(({ id }) => id),
    missing: missing.sort(compareText),
    unreadable: unreadable.sort(compareText),
  }
}

interface ExportedLine {
  readonly messages: number
  /** Not so: it was cleared since its beginning was looked up. */
  readonly isWritten: boolean
  readonly complete: boolean
  readonly damaged: readonly DamagedPart[]
}

/** Writes the contents of a conversation that are not written yet; resolves with those that cannot be read. */
async function exportContents(
  conversationId: string,
  done: Set<ContentRef>,
  { source, write }: ExportOptions,
): Promise<readonly DamagedPart[]> {
  const damaged: DamagedPart[] = []
  const refs = new Set<ContentRef>()
  try {
    for await (const { messages } of source.batches(conversationId)) {
      for (const message of messages) for (const ref of refsIn(message)) refs.add(ref)
    }
  } catch (error) {
    // Its messages are read again, and what is damaged is named then.
    if (!isStorageError(error, 'CORRUPT')) throw error
  }
  for (const content of refs) {
    if (done.has(content)) continue
    try {
      for await (const line of source.contentLines!(content)) await write(line)
      done.add(content)
    } catch (error) {
      if (!isStorageError(error, 'CORRUPT') && !isStorageError(error, 'NOT_FOUND')) throw error
      damaged.push({ conversationId, content })
    }
  }
  return damaged
}

async function exportOne(
  conversationId: string,
  layout: ExportLayout,
  { source, write }: ExportOptions,
): Promise<ExportedLine> {
  const record = await source.record?.(conversationId)
  const conversation = layout.conversation(conversationId, record)
  let text = ''
  let messages = 0
  let complete = true
  const damaged: DamagedPart[] = []
  try {
    for await (const batch of source.batches(conversationId)) {
      complete &&= batch.complete
      for (const id of batch.damaged ?? []) damaged.push({ conversationId, id })
      for (const message of batch.messages) {
        text += conversation.add(message)
        messages++
        if (text.length < WRITE_CHARS) continue
        await write(text)
        text = ''
      }
    }
  } catch (error) {
    // The line is ended as far as it could be read: the other conversations can be.
    if (!isStorageError(error, 'CORRUPT')) throw error
    damaged.push({ conversationId })
  }
  if (messages > 0) text += conversation.end()
  else if (record !== undefined) text = conversation.empty?.() ?? ''
  if (text !== '') await write(text)
  return { messages, isWritten: text !== '', complete, damaged }
}
