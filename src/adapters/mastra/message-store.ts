import type { MastraDBMessage } from '@mastra/core/memory'
import type { ChatHistory } from '../../chat/chat-history.ts'
import { conversationKey, recordKey } from '../../chat/keys.ts'
import type { HistoryPage } from '../../chat/message.ts'
import { Activity } from '../../chat/records/activity.ts'
import { setMetadata } from '../../chat/records/record.ts'
import type { Condition } from '../../core/conditions.ts'
import { isStorageError, StorageError } from '../../core/errors.ts'
import { groupBy } from '../../core/group-by.ts'
import { msOfDateTime } from '../../core/iso-time.ts'
import { PAGE_ITEMS_MAX } from '../../core/limits.ts'
import { itemStamp } from '../../core/merge.ts'
import { slicesOf } from '../../core/slices-of.ts'
import type { Change } from '../../store/changes/change.ts'
import { messageKey, type MessagePlace } from './message-index.ts'
import { mastraMessage, storedMessage, type OfThread, type StoredMessage } from './messages.ts'
import {
  certain,
  isRegular,
  mayBeElsewhere,
  type FoundThread,
  type ThreadStore,
} from './thread-store.ts'
import { IRREGULAR } from './threads.ts'

/** Messages of one group. */
const GROUP_MESSAGES = 300
/** How often a group is written whose conditions no longer hold, because others write the same messages. */
const TRIES_MAX = 10
/** Messages that are looked up at once. */
const READS_AT_ONCE = 16

/** A message, the thread that has it, and what a condition names. */
export interface FoundMessage {
  readonly message: MastraDBMessage
  readonly stamp: string
}

/** A group that is about to be written. */
interface Group {
  readonly changes: Change[]
  readonly conditions: Condition[]
  /** Threads that are regular no more. */
  readonly irregular: Set<string>
  /** Threads that get new messages. */
  readonly fresh: Set<string>
}

/** Messages in a history's conversations, and by their id alone. */
export class MessageStore {
  readonly #history: ChatHistory
  readonly #threads: ThreadStore

  constructor(history: ChatHistory, threads: ThreadStore) {
    this.#history = history
    this.#threads = threads
  }

  // ---- reading

  /** The messages of a thread in the order of saving, read as they are needed. */
  async *walk(
    thread: OfThread,
    order: 'oldest' | 'newest',
    limit: number,
    from: { before?: string; after?: string } = {},
  ): AsyncGenerator<MastraDBMessage, void, undefined> {
    const what = `messages of thread ${JSON.stringify(thread.id)}`
    let cursor = from
    for (let isFirst = true; ; isFirst = false) {
      const options = { order, limit: Math.min(limit, PAGE_ITEMS_MAX), ...cursor }
      const read = (): Promise<HistoryPage> => this.#history.getHistory(thread.id, options)
      const isThere = ({ messages }: HistoryPage): boolean => !isFirst || messages.length > 0
      const page = await certain(this.#history, what, read, isThere)
      for (const message of page.messages) yield mastraMessage(message as StoredMessage, thread)
      const { nextCursor: next } = page
      if (next === undefined) return
      cursor = order === 'newest' ? { before: next } : { after: next }
    }
  }

  async all(thread: OfThread): Promise<MastraDBMessage[]> {
    const messages: MastraDBMessage[] = []
    for await (const message of this.walk(thread, 'oldest', PAGE_ITEMS_MAX)) messages.push(message)
    return messages
  }

  /** A message and those around it in the order of saving; nothing where it is not there. */
  async around(
    thread: OfThread,
    id: string,
    previous: number,
    next: number,
  ): Promise<MastraDBMessage[]> {
    const { store, tenant } = this.#history
    const found = await this.#history.getMessage(thread.id, id)
    if (found === undefined) return []
    const { items } = await store.readItemsById(conversationKey(tenant, thread.id), [id])
    const position = items[0]?.position
    // One that a fork shares stands in another conversation.
    if (position === undefined) return [mastraMessage(found as StoredMessage, thread)]
    const take = async (order: 'oldest' | 'newest', count: number): Promise<MastraDBMessage[]> => {
      const taken: MastraDBMessage[] = []
      if (count === 0) return taken
      const from = order === 'newest' ? { before: position } : { after: position }
      for await (const message of this.walk(thread, order, count, from)) {
        if (taken.push(message) === count) break
      }
      return taken
    }
    const [earlier, later] = await Promise.all([take('newest', previous), take('oldest', next)])
    return [...earlier.reverse(), mastraMessage(found as StoredMessage, thread), ...later]
  }

  /** Which thread has a message, by its id. */
  async placesOf(ids: readonly string[]): Promise<ReadonlyMap<string, MessagePlace>> {
    const { store, tenant } = this.#history
    const keys = ids.map((id) => messageKey(tenant, id))
    const found = keys.length === 0 ? {} : await store.mget<MessagePlace>(keys)
    return new Map(
      ids.flatMap((id, i) => {
        const place = (found as Record<string, MessagePlace>)[keys[i]!]
        return place === undefined ? [] : [[id, place] as const]
      }),
    )
  }

  /** The same of messages that are asked for: while the primary is out, one that is not found may be there. */
  async #known(ids: readonly string[]): Promise<ReadonlyMap<string, MessagePlace>> {
    const unique = [...new Set(ids)]
    const places = await this.placesOf(unique)
    const missing = unique.find((id) => !places.has(id))
    const { primary } = this.#history.store.getHealthStatus().backends
    if (missing !== undefined && !primary.healthy) {
      throw mayBeElsewhere(`message ${JSON.stringify(missing)}`)
    }
    return places
  }

  /** The messages of these ids that are there. */
  async find(ids: readonly string[]): Promise<FoundMessage[]> {
    const places = await this.#known(ids)
    const owners = await this.#ownersOf([...places.values()].map(({ thread }) => thread))
    const found: FoundMessage[] = []
    for (const slice of slicesOf([...places], READS_AT_ONCE)) {
      const read = await Promise.all(
        slice.map(async ([id, { thread }]) => {
          const entry = await this.#history.getMessageEntry(thread, id)
          const of = { id: thread, resourceId: owners.get(thread) }
          return entry && { ...entry, message: mastraMessage(entry.message as StoredMessage, of) }
        }),
      )
      found.push(...read.filter((each) => each !== undefined))
    }
    return found
  }

  async #ownersOf(threadIds: readonly string[]): Promise<ReadonlyMap<string, string | undefined>> {
    const ids = [...new Set(threadIds)]
    const found = await Promise.all(ids.map((id) => this.#threads.find(id)))
    return new Map(ids.map((id, i) => [id, found[i]?.record.owner?.name]))
  }

  // ---- writing

  /**
   * Saves checked messages, whose threads must be there; those that stand in their thread are replaced. Resolves with
   * the threads that got nothing new, whose latest message does not tell of it.
   */
  async save(messages: readonly MastraDBMessage[]): Promise<Set<string>> {
    const replaced = new Set<string>()
    const latest = [...new Map(messages.map((message) => [message.id, message])).values()]
    for (const slice of slicesOf(latest, GROUP_MESSAGES)) {
      const ids = [...new Set(slice.map(({ threadId }) => threadId!))]
      const { fresh } = await this.#write(() => this.#groupOf(slice))
      for (const id of ids) if (!fresh.has(id)) replaced.add(id)
    }
    return replaced
  }

  async #groupOf(messages: readonly MastraDBMessage[]): Promise<Group> {
    const { tenant } = this.#history
    const places = await this.placesOf(messages.map(({ id }) => id))
    const group = newGroup()
    for (const [id, own] of groupBy(messages, ({ threadId }) => threadId!)) {
      const found = await this.#threads.must(id)
      group.conditions.push(stands(recordKey(tenant, id), found))
      const thread = { id, resourceId: found.record.owner?.name }
      for (const message of own) await this.#add(group, message, thread, places.get(message.id))
      if (isRegular(found) && !keepsOrder(own, found, places)) group.irregular.add(id)
    }
    return group
  }

  async #add(
    { changes, conditions, fresh }: Group,
    message: MastraDBMessage,
    thread: OfThread,
    place: MessagePlace | undefined,
  ): Promise<void> {
    const { tenant } = this.#history
    const { id, createdAt } = message
    const key = messageKey(tenant, id)
    if (place === undefined) conditions.push({ key, absent: true })
    else if (place.thread !== thread.id) conditions.push(await this.#takeOver(id, place, thread.id))
    if (place?.thread !== thread.id) fresh.add(thread.id)
    const at = new Date(createdAt).toISOString()
    if (place?.thread !== thread.id || place.at !== at) {
      changes.push({ kind: 'set', key, value: { thread: thread.id, at } satisfies MessagePlace })
    }
    const value = storedMessage(message, thread)
    changes.push({ kind: 'put', key: conversationKey(tenant, thread.id), id, value })
  }

  /** A message stays where it is. Only what is left of one that is no more gives way. */
  async #takeOver(id: string, place: MessagePlace, threadId: string): Promise<Condition> {
    const { store, tenant } = this.#history
    const key = messageKey(tenant, id)
    const [entry, standing] = await Promise.all([
      store.getEntry(key),
      this.#history.getMessage(place.thread, id),
    ])
    if (standing !== undefined) {
      const names = [id, threadId].map((each) => JSON.stringify(each))
      throw new StorageError('CONFLICT', `message ${names.join(' is not of thread ')}`)
    }
    return entry === undefined ? { key, absent: true } : { key, stamp: entry.stamp }
  }

  /** Replaces messages that were found, all at once, each only as it was read; they may get another thread. */
  async replace(
    changed: readonly { readonly found: FoundMessage; readonly message: MastraDBMessage }[],
  ): Promise<void> {
    const { tenant } = this.#history
    const group = newGroup()
    for (const { found, message } of changed) {
      const { id, threadId: before } = found.message
      const threadId = message.threadId!
      const target = await this.#threads.must(threadId)
      const thread = { id: threadId, resourceId: target.record.owner?.name }
      const from = conversationKey(tenant, before!)
      group.conditions.push({ key: from, id, stamp: found.stamp as never })
      if (before !== threadId) group.changes.push({ kind: 'remove', key: from, id })
      const at = new Date(message.createdAt).toISOString()
      group.changes.push(
        { kind: 'set', key: messageKey(tenant, id), value: { thread: threadId, at } },
        {
          kind: 'put',
          key: conversationKey(tenant, threadId),
          id,
          value: storedMessage(message, thread),
        },
      )
      const keeps = before === threadId && at === found.message.createdAt.toISOString()
      const isOwners = message.resourceId === undefined || message.resourceId === thread.resourceId
      if (isRegular(target) && !(keeps && isOwners)) group.irregular.add(threadId)
    }
    await this.#writeGroup(group)
  }

  /** Removes messages for good, wherever they are; the threads that had them. */
  async remove(ids: readonly string[]): Promise<Set<string>> {
    const { store, tenant } = this.#history
    const places = await this.#known(ids)
    for (const slice of slicesOf([...places], GROUP_MESSAGES)) {
      await store.write(
        slice.flatMap(([id, { thread }]): Change[] => [
          { kind: 'remove', key: conversationKey(tenant, thread), id },
          { kind: 'delete', key: messageKey(tenant, id) },
        ]),
      )
    }
    return new Set([...places.values()].map(({ thread }) => thread))
  }

  /** Takes what names the messages of a thread away, before the thread goes. */
  async forget(threadId: string): Promise<void> {
    const { store, tenant } = this.#history
    const messages = await this.all({ id: threadId, resourceId: undefined })
    for (const slice of slicesOf(messages, PAGE_ITEMS_MAX)) {
      const places = await this.placesOf(slice.map(({ id }) => id))
      const own = [...places].filter(([, { thread }]) => thread === threadId)
      if (own.length > 0) await store.deleteMany(own.map(([id]) => messageKey(tenant, id)))
    }
  }

  /** Others may have written what a condition is about: then it is read and made anew. */
  async #write(make: () => Promise<Group>): Promise<Group> {
    for (let tries = 1; ; tries++) {
      const group = await make()
      try {
        await this.#writeGroup(group)
        return group
      } catch (error) {
        const mayRepeat = isStorageError(error, 'CONFLICT') && error.effect === 'none'
        if (!mayRepeat || tries === TRIES_MAX) throw error
      }
    }
  }

  async #writeGroup({ changes, conditions, irregular, fresh }: Group): Promise<void> {
    const { store, tenant } = this.#history
    // As with any save, threads go to the end of their list beside it.
    const moved = [...fresh].map((id) => Activity.of(store).saving(tenant, id))
    const marks = [...irregular].flatMap((id) => {
      return setMetadata(recordKey(tenant, id), { [IRREGULAR]: true })
    })
    await store.write([...changes, ...(marks as Change[])], { if: conditions })
    for (const each of moved) await each
  }
}

function newGroup(): Group {
  return { changes: [], conditions: [], irregular: new Set(), fresh: new Set() }
}

/** The record of a thread is the one that was read: it was not deleted since. */
function stands(key: string, { items }: FoundThread): Condition {
  const created = items.find(({ id }) => id === 'created')!
  return { key, id: 'created', stamp: itemStamp(created) }
}

/** Whether a regular thread is one with these messages too. */
function keepsOrder(
  messages: readonly MastraDBMessage[],
  { record, latest }: FoundThread,
  places: ReadonlyMap<string, MessagePlace>,
): boolean {
  let last = msOfDateTime(latest.at) ?? 0
  return messages.every(({ id, threadId, createdAt, resourceId }) => {
    if (resourceId && resourceId !== record.owner?.name) return false
    const ms = new Date(createdAt).getTime()
    const place = places.get(id)
    if (place !== undefined && place.thread === threadId) return msOfDateTime(place.at) === ms
    if (ms < last) return false
    last = ms
    return true
  })
}
