import type { ChatHistory } from '../../src/chat/chat-history.ts'
import { isStorageError } from '../../src/core/errors.ts'
import type { PlaceName } from '../../src/core/places.ts'
import type { Receipt } from '../../src/chat/message.ts'
import type { DownloadRecord } from '../../src/testing/history-checker/history.ts'

/** So much that some contents have two chunks. */
const LARGE_BYTES = 1_048_576 + 7
const SMALL_BYTES = 40
const LARGE_EVERY = 8

/** The bytes of a content, the same for the same name. */
export function bytesOf(name: string): Uint8Array {
  const isLarge = Number(/\d+$/.exec(name)?.[0] ?? 1) % LARGE_EVERY === 0
  return Buffer.alloc(isLarge ? LARGE_BYTES : SMALL_BYTES, `${name}.`)
}

/** Saves it; the places are those of all its parts, or the log where no place is known to have all. */
export async function uploadTo(
  history: ChatHistory,
  name: string,
): Promise<{ readonly ref: string; readonly copies: readonly PlaceName[] }> {
  const { ref, copies } = await history.saveContent(bytesOf(name))
  return { ref, copies: copies.length > 0 ? copies : ['wal'] }
}

/** Saves a message that refers to it. */
export async function saveReference(
  history: ChatHistory,
  conversation: string,
  content: string,
  ref: string,
): Promise<Receipt> {
  const message = { role: 'user', content, metadata: { picture: ref } } as const
  return await history.saveMessage(conversation, message)
}

/** Reads it whole. That it is absent is an answer like others. */
export async function downloadFrom(
  history: ChatHistory,
  name: string,
  ref: string,
): Promise<DownloadRecord['found']> {
  try {
    const bytes = await (await history.readContent(ref)).bytes()
    return Buffer.compare(bytes, bytesOf(name)) === 0 ? 'whole' : 'other'
  } catch (error) {
    if (isStorageError(error, 'NOT_FOUND')) return 'absent'
    if (isStorageError(error, 'CORRUPT')) return 'other'
    throw error
  }
}
