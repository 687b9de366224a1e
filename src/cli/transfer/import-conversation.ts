import type { ChatMessage, ConversationItem, Receipt } from '../../chat/message.ts'
import { isStorageError, messageOf } from '../../core/errors.ts'
import type { IdentifiedMessage } from '../jsonl/import-message.ts'
import type { ImportedConversation } from '../jsonl/parse-conversation.ts'
import { chunksOf } from './chunks-of.ts'
import type { ProblemPlace } from './import-report.ts'
import type { ImportTally } from './import-tally.ts'
import { sameButForConversation, sameMessage } from './same-message.ts'

/** A later export has it; what the store has of the conversation stays. */
const NEWER_TITLE = 'titles and dates of conversations that were imported before with others'

/** The part of `ChatHistory` that an import needs. */
export interface ImportTarget {
  saveItems(conversationId: string, items: readonly ConversationItem[]): Promise<readonly Receipt[]>
  getMessage(conversationId: string, id: string): Promise<ChatMessage | undefined>
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
  { conversationId, messages }: ImportedConversation,
  options: ImportConversationOptions,
): Promise<boolean> {
  const { target, tally, retry, isStopped } = options
  for (const chunk of chunksOf(messages)) {
    if (isStopped()) return false
    try {
      tally.saved(await retry(() => target.saveItems(conversationId, chunk)))
    } catch (error) {
      if (!isRefusal(error)) throw error
      if (!(await importOneByOne(conversationId, chunk, messages, options))) return false
    }
  }
  tally.finished(messages.length)
  return true
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
      tally.saved(await retry(() => target.saveItems(conversationId, [message])))
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
