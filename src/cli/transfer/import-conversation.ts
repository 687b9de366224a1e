import type { ChatMessage, ConversationItem, Receipt } from '../../chat/message.ts'
import type { NewConversation } from '../../chat/records/record-options.ts'
import { isStorageError, messageOf } from '../../core/errors.ts'
import type { IdentifiedMessage } from '../jsonl/import-message.ts'
import type { ImportedConversation } from '../jsonl/parse-conversation.ts'
import { chunksOf } from './chunks-of.ts'
import type { ProblemPlace } from './import-report.ts'
import type { ImportTally } from './import-tally.ts'
import { sameButForConversation, sameMessage } from './same-message.ts'

/** A later export has it; what the store has of the conversation stays. */
const NEWER_TITLE = 'titles and dates of conversations that were imported before with others'

const OTHER_RECORD = 'titles, owners and metadata of conversations that have others here'

/** Its own messages are saved all the same. */
const UNJOINED = 'what branches share with the conversation that they leave'

/** The part of `ChatHistory` that an import needs. */
export interface ImportTarget {
  importMessages(
    conversationId: string,
    messages: readonly ConversationItem[],
  ): Promise<readonly Receipt[]>
  createConversation(conversationId: string, fields: NewConversation): Promise<unknown>
  saveContent(
    data: Iterable<Uint8Array>,
    options: { readonly mediaType?: string },
  ): Promise<{ readonly ref: string }>
  getMessage(conversationId: string, id: string): Promise<ChatMessage | undefined>
  fork(
    conversationId: string,
    options: { readonly from: string; readonly as: string },
  ): Promise<unknown>
}

export interface ImportConversationOptions {
  readonly target: ImportTarget
  readonly tally: ImportTally
  readonly place: ProblemPlace
  /** Repeats a call that is harmless to repeat. */
  readonly retry: <T>(action: () => Promise<T>) => Promise<T>
  /** Asked between two saves. */
  readonly isStopped: () => boolean
}

/**
 * Saves one conversation: in order, in atomic groups, each only after the one before it was
 * acknowledged. So whatever interrupts it, the store holds a beginning of the conversation without
 * a gap, and the next import goes on from there.
 *
 * Resolves with false when it stopped before the end.
 */
export async function importConversation(
  { conversationId, messages, record, branchOf }: ImportedConversation,
  options: ImportConversationOptions,
): Promise<boolean> {
  const { target, tally, retry, isStopped } = options
  if (isStopped()) return false
  if (branchOf !== undefined) {
    const { conversationId: source, messageId: from } = branchOf
    try {
      await retry(() => target.fork(source, { from, as: conversationId }))
    } catch (error) {
      // It was imported before there were forks, or the message that it leaves was refused.
      if (!isRefusal(error) && !isStorageError(error, 'NOT_FOUND')) throw error
      tally.leftOut(UNJOINED)
    }
  }
  if (record !== undefined) {
    const began = messages.find(({ createdAt }) => createdAt !== undefined)?.createdAt
    const times = began === undefined ? {} : { createdAt: began }
    await createRecord(conversationId, { ...times, ...record }, options)
  }
  for (const chunk of chunksOf(messages)) {
    if (isStopped()) return false
    try {
      tally.saved(await retry(() => target.importMessages(conversationId, chunk)))
    } catch (error) {
      if (!isRefusal(error)) throw error
      if (!(await importOneByOne(conversationId, chunk, messages, options))) return false
    }
  }
  tally.finished(messages.length)
  return true
}

/** What the store has of the conversation already stays. */
async function createRecord(
  conversationId: string,
  record: NewConversation,
  { target, tally, retry }: ImportConversationOptions,
): Promise<void> {
  try {
    await retry(() => target.createConversation(conversationId, record))
  } catch (error) {
    if (!isRefusal(error)) throw error
    tally.leftOut(OTHER_RECORD)
  }
}

/** A group is refused as a whole for the sake of one message: finds it, and saves the others. */
async function importOneByOne(
  conversationId: string,
  chunk: readonly IdentifiedMessage[],
  messages: readonly IdentifiedMessage[],
  { target, tally, place, retry, isStopped }: ImportConversationOptions,
): Promise<boolean> {
  for (const message of chunk) {
    if (isStopped()) return false
    try {
      tally.saved(await retry(() => target.importMessages(conversationId, [message])))
    } catch (error) {
      if (!isRefusal(error)) throw error
      const { id } = message
      const conflict = isStorageError(error, 'CONFLICT')
      const stored = conflict ? await retry(() => target.getMessage(conversationId, id)) : undefined
      if (stored !== undefined && sameMessage(message, stored)) {
        tally.recognised()
        continue
      }
      if (stored !== undefined && sameButForConversation(message, stored)) {
        tally.recognised()
        tally.leftOut(NEWER_TITLE)
        continue
      }
      tally.problem({
        ...place,
        conversationId,
        message: messages.indexOf(message),
        id,
        kind: stored === undefined ? 'refused' : 'conflict',
        reason:
          stored === undefined ? messageOf(error) : 'the store has another message with this id',
      })
    }
  }
  return true
}

function isRefusal(error: unknown): boolean {
  return (
    isStorageError(error, 'CONFLICT') ||
    isStorageError(error, 'INVALID_ARGUMENT') ||
    isStorageError(error, 'REJECTED') ||
    // It refers to content that the store does not have.
    isStorageError(error, 'NOT_FOUND')
  )
}
