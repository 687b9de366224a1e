import { isStorageError, messageOf, StorageError } from '../../core/errors.ts'
import { isJson } from '../../core/json.ts'
import { PAGE_ITEMS_MAX } from '../../core/limits.ts'
import { itemValue, type Item } from '../../core/merge.ts'
import { STAMP_MIN, type Stamp } from '../../core/stamp.ts'
import type { StrategicStorageManager } from '../../store/strategic-storage-manager.ts'
import { decodeMessage, isMessageText } from '../codec.ts'
import { parseConversationKey, streamKey } from '../keys.ts'
import type { ChatMessage, MessageStatus } from '../message.ts'
import { Replay } from './replay.ts'
import { applyStep, type Draft } from './step.ts'
import { MARK_FIELD, markOf, unpackStep, type Chunk } from './stream-items.ts'

/** Partial messages of one page whose deltas are read at the same time. */
const READS_AT_ONCE = 8

/**
 * How much longer than its own word a writer is taken for alive: for the difference of clocks that nobody
 * measured. Milliseconds.
 */
export const TOLERANCE_MS = 2_000

/** A message that is being written, as far as it was read. */
export interface Partial {
  readonly message: ChatMessage
  readonly replay: Replay
  /** False when another process may have acknowledged deltas that are not in it. */
  readonly complete: boolean
}

/** Where a message is. */
export interface MessagePlace {
  /** The conversation. */
  readonly key: string
  /** The list of the message's stream. */
  readonly streamKey: string
  readonly id: string
}

/** A message as it is shown, whether it is being written or whole. */
export interface ShownMessage {
  readonly item: Item
  readonly message: ChatMessage
  /** Set of one that nobody finished. */
  readonly partial?: MessageStatus
}

/** A message as it is stored. */
export interface ReadItem {
  readonly item: Item
  readonly message: ChatMessage
}

/** Messages with what their streams have brought; complete as a read is. */
export interface ShownMessages {
  readonly shown: readonly ShownMessage[]
  readonly complete: boolean
}

/** `PartialReader.show` for messages that stand in the list of this key. */
export async function showMessages(
  store: StrategicStorageManager,
  key: string,
  read: readonly ReadItem[],
): Promise<ShownMessages> {
  const parsed = parseConversationKey(key)
  if (parsed === undefined) return { shown: read, complete: true }
  const { tenant, conversationId } = parsed
  const placeOf = (id: string): MessagePlace => {
    return { key, streamKey: streamKey(tenant, conversationId, id), id }
  }
  return await new PartialReader(store, placeOf).show(read)
}

/** Makes the chunks' changes. */
export function applyChunks(draft: Draft, chunks: readonly Chunk[]): void {
  for (const { d } of chunks) for (const packed of d) applyStep(draft, unpackStep(packed))
}

/** Throws the error of a look after a write, which may stand: unless it says whose the message is. */
export function afterEffect(error: unknown): never {
  if (!isStorageError(error) || error.code === 'CONFLICT' || error.code === 'NOT_FOUND') throw error
  throw new StorageError(error.code, error.message, { effect: 'unknown', cause: error })
}

/** Removes the deltas of a message that needs them no more. What fails is left to `repairStreams`. */
export async function removeStream(store: StrategicStorageManager, key: string): Promise<void> {
  try {
    await store.delete(key)
  } catch (error) {
    store.env.logger.warn({ error: messageOf(error) }, 'deltas of a message could not be removed')
  }
}

/** Reads messages that are being written. */
export class PartialReader {
  readonly #store: StrategicStorageManager
  readonly #placeOf: (id: string) => MessagePlace

  constructor(store: StrategicStorageManager, placeOf: (id: string) => MessagePlace) {
    this.#store = store
    this.#placeOf = placeOf
  }

  /**
   * The messages with what their streams have brought. One that was finished meanwhile is read again; one
   * that was removed meanwhile is left out.
   */
  async show(read: readonly ReadItem[]): Promise<ShownMessages> {
    const partial = read.filter(({ message }) => markOf(message) !== undefined)
    if (partial.length === 0) return { shown: read, complete: true }
    const found = new Map<Item, ShownMessage | undefined>()
    let complete = true
    for (let i = 0; i < partial.length; i += READS_AT_ONCE) {
      await Promise.all(
        partial.slice(i, i + READS_AT_ONCE).map(async ({ item, message }) => {
          const one = await this.#showOne(item, message)
          complete &&= one.complete
          found.set(item, one.shown)
        }),
      )
    }
    const shown = read.flatMap((each) => {
      return found.has(each.item) ? (found.get(each.item) ?? []) : each
    })
    return { shown, complete }
  }

  async #showOne(
    item: Item,
    message: ChatMessage,
  ): Promise<{ readonly shown: ShownMessage | undefined; readonly complete: boolean }> {
    const place = this.#placeOf(item.id)
    const { partial, mayHaveEnded } = await readPartial(this.#store, place, item, message)
    const shown = { item, message: partial.message, partial: partial.message.status! }
    if (!mayHaveEnded) return { shown, complete: partial.complete }
    const again = await readMessage(this.#store, place)
    const complete = partial.complete && again.complete
    if (again.found === undefined) return { shown: undefined, complete }
    const isWhole = markOf(again.found.message) === undefined
    return { shown: isWhole ? again.found : shown, complete }
  }
}

/** One message as it is stored, with its mark; nothing of one that is not visible. */
export async function readMessage(
  store: StrategicStorageManager,
  { key, id }: MessagePlace,
): Promise<{
  readonly found: { readonly item: Item; readonly message: ChatMessage } | undefined
  readonly complete: boolean
}> {
  const { items, complete } = await store.readItemsById(key, [id])
  const visible = items.filter((item) => itemValue(item) !== undefined)
  const decode = (item: Item): { readonly item: Item; readonly message: ChatMessage } => {
    return { item, message: decodeMessage(item)! }
  }
  const [found] = await store.decodeItems(key, visible, decode, isMessageText)
  return { found, complete }
}

/** The items of a stream's list behind a position, in their order. */
export async function readStreamItems(
  store: StrategicStorageManager,
  key: string,
  after: Stamp = STAMP_MIN,
): Promise<{
  readonly items: readonly Item[]
  readonly complete: boolean
  readonly pages: number
}> {
  const items: Item[] = []
  let complete = true
  let pages = 0
  for (let from = after; ;) {
    const bound = from === STAMP_MIN ? {} : { after: from }
    const query = { key, order: 'oldest', limit: PAGE_ITEMS_MAX, ...bound } as const
    const page = await store.readItems(query)
    pages++
    complete &&= page.complete
    const visible = page.items.filter((item) => itemValue(item) !== undefined)
    items.push(...(await store.decodeItems(key, visible, (item) => item, isJson)))
    from = page.items.at(-1)?.position ?? from
    if (page.done) return { items, complete, pages }
  }
}

/**
 * A message that is marked, with what its stream has brought. `mayHaveEnded`: its stream may be gone, since
 * the message was read.
 */
export async function readPartial(
  store: StrategicStorageManager,
  { streamKey }: MessagePlace,
  item: Item,
  message: ChatMessage,
): Promise<{ readonly partial: Partial; readonly mayHaveEnded: boolean }> {
  const { items, complete, pages } = await readStreamItems(store, streamKey)
  const partial = partialOf(item, message, items, store.earliestNow())
  return { partial: { ...partial, complete }, mayHaveEnded: items.length === 0 || pages > 1 }
}

/** The message as of these items of its stream, at this time. Unix milliseconds. */
export function partialOf(
  item: Item,
  message: ChatMessage,
  items: readonly Item[],
  now: number,
): Omit<Partial, 'complete'> {
  const mark = markOf(message)
  if (mark === undefined) throw new StorageError('CORRUPT', 'a message is not being written')
  const replay = new Replay(mark, item.position)
  const draft: Draft = { ...message }
  delete draft[MARK_FIELD]
  applyChunks(draft, replay.take(items))
  draft['status'] = statusAt(replay, now)
  return { message: draft as object as ChatMessage, replay }
}

/** Whether its writer may still be taken for alive. */
export function statusAt({ until }: Replay, now: number): MessageStatus {
  return now <= until + TOLERANCE_MS ? 'in_progress' : 'incomplete'
}
