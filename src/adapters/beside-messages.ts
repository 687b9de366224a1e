/* What adapters share that keep values beside the messages of a history. */
import { createHash } from 'node:crypto'
import type { ChatHistory } from '../chat/chat-history.ts'
import type { ChatMessage } from '../chat/message.ts'
import { invalid, messageOf } from '../core/errors.ts'
import { PAGE_ITEMS_MAX } from '../core/limits.ts'
import type { Stamp } from '../core/stamp.ts'
import type { DecodedItem } from '../store/bulk/bulk-types.ts'
import type { StrategicStorageManager } from '../store/strategic-storage-manager.ts'

/** A name of 43 characters for any text, lone surrogates included: part of a key, or an item's id. */
export function nameOf(text: string): string {
  return createHash('sha256').update(JSON.stringify(text)).digest('base64url')
}

/**
 * What JSON makes of a value: frameworks hand over instances of classes, which a store refuses, and their own
 * databases keep as JSON.
 *
 * @throws StorageError `INVALID_ARGUMENT` for cycles and big integers.
 */
export function asJson<Value>(name: string, value: Value): Value {
  try {
    return JSON.parse(JSON.stringify(value)) as Value
  } catch (error) {
    throw invalid(`${name} must be JSON: ${messageOf(error)}`)
  }
}

/** A page of rows, and what the next one begins at; none: there is no more. */
export interface Page<Row, Cursor> {
  readonly rows: readonly Row[]
  readonly next: Cursor | undefined
}

/** All rows of all pages, read as they are taken. */
export async function* allRows<Row, Cursor = string>(
  read: (at: Cursor | undefined) => Promise<Page<Row, Cursor>>,
): AsyncGenerator<Row, void, undefined> {
  let at: Cursor | undefined
  do {
    const { rows, next } = await read(at)
    yield* rows
    at = next
  } while (at !== undefined)
}

/** All of what comes. */
export async function collect<Row>(rows: AsyncIterable<Row>): Promise<Row[]> {
  const all: Row[] = []
  for await (const row of rows) all.push(row)
  return all
}

/** All items of a list as they were given, oldest first. */
export function allItems<Value>(
  store: StrategicStorageManager,
  key: string,
): AsyncGenerator<DecodedItem<Value>, void, undefined> {
  return allRows<DecodedItem<Value>, Stamp>(async (after) => {
    const query = { key, limit: PAGE_ITEMS_MAX, order: 'oldest' } as const
    const { items, done } = await store.getItems<Value>({ ...query, ...(after && { after }) })
    return { rows: items, next: done ? undefined : items.at(-1)?.position }
  })
}

/** All messages of a conversation, newest first; pages of at most so many. */
export function newestFirst(
  history: ChatHistory,
  conversationId: string,
  pageMax: number,
): AsyncGenerator<ChatMessage, void, undefined> {
  const limit = Math.min(pageMax, PAGE_ITEMS_MAX)
  return allRows(async (before) => {
    const query = { order: 'newest', limit, ...(before !== undefined && { before }) } as const
    const { messages, nextCursor } = await history.getHistory(conversationId, query)
    return { rows: messages, next: nextCursor }
  })
}
