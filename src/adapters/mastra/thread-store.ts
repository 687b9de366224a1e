import type { StorageThreadType } from '@mastra/core/memory'
import type { ChatHistory } from '../../chat/chat-history.ts'
import { activeKey, createdKey, OWNER_BYTES_MAX } from '../../chat/keys.ts'
import { Activity } from '../../chat/records/activity.ts'
import type { ConversationRecord } from '../../chat/records/record.ts'
import { RecordReader, type LatestRead, type RecordRead } from '../../chat/records/record-reader.ts'
import type { Row } from '../../chat/records/row.ts'
import { rowsOfList } from '../../chat/records/rows-of-list.ts'
import { invalid, isStorageError, StorageError } from '../../core/errors.ts'
import { isoTime } from '../../core/iso-time.ts'
import { checkText, CONVERSATION_ID_BYTES_MAX, PAGE_ITEMS_MAX } from '../../core/limits.ts'
import { showValue } from '../../core/show-value.ts'
import { slicesOf } from '../../core/slices-of.ts'
import {
  IRREGULAR,
  metadataFields,
  threadOf,
  titleFields,
  UPDATED,
  withoutFields,
} from './threads.ts'

/** Threads whose latest messages are looked up at once. */
const READS_AT_ONCE = 50

/** Looks for what may only be out of reach for a moment, and the pause after the first; each next one is longer. */
const LOOKS_MAX = 3
const LOOK_MS = 50

/** A thread and what it is made of. */
export interface FoundThread {
  readonly record: ConversationRecord
  readonly items: RecordRead['items']
  readonly latest: LatestRead
}

/** Rows of which part of a list. */
export interface ThreadRows {
  readonly resourceId: string | undefined
  readonly field: 'createdAt' | 'updatedAt'
  readonly offset: number
  readonly limit: number
}

/** Threads as the records of a history's conversations. */
export class ThreadStore {
  readonly #history: ChatHistory
  readonly #reader: RecordReader

  constructor(history: ChatHistory) {
    this.#history = history
    this.#reader = new RecordReader(history.store, history.tenant)
  }

  /** Undefined when a place that is whole answers that there is none. */
  async find(id: string): Promise<FoundThread | undefined> {
    const read = (): Promise<RecordRead> => this.#reader.record(id)
    const isThere = ({ record }: RecordRead): boolean => record !== undefined
    const [{ record, items }, latest] = await Promise.all([
      certain(this.#history, `thread ${JSON.stringify(id)}`, read, isThere),
      this.#reader.latest(id),
    ])
    return record && { record, items, latest }
  }

  async get(id: string): Promise<StorageThreadType | undefined> {
    const found = await this.find(id)
    return found && threadOf(id, found.record, found.latest.position)
  }

  /** The same of one that must be there. */
  async must(id: string): Promise<FoundThread> {
    const found = await this.find(id)
    if (found === undefined) throw notFound(id)
    return found
  }

  /** All of a thread anew, as far as it is not its messages. */
  async save(thread: StorageThreadType): Promise<void> {
    const { id, resourceId: owner, createdAt, updatedAt } = thread
    checkText('thread.id', id, CONVERSATION_ID_BYTES_MAX)
    checkText('thread.resourceId', owner, OWNER_BYTES_MAX)
    const { title, metadata: own } = titleFields(thread.title)
    const metadata = {
      ...metadataFields(thread.metadata),
      ...own,
      [UPDATED]: iso('thread.updatedAt', updatedAt),
    }
    // One that may only be out of reach is made too: both meet.
    if ((await this.#reader.record(id)).record === undefined) {
      const fields = {
        owner,
        metadata,
        createdAt: iso('thread.createdAt', createdAt),
        ...(title && { title }),
      }
      try {
        await this.#history.createConversation(id, fields)
        if (updatedAt > createdAt) await this.#moved(id, new Date(updatedAt).getTime())
        return
      } catch (error) {
        if (!isStorageError(error, 'CONFLICT')) throw error
      }
    }
    // It was there, or somebody else was faster.
    const { record } = await this.must(id)
    const patch = { title, owner, metadata: { ...withoutFields(record), ...metadata } }
    await this.#history.updateConversation(id, patch)
    await this.#moved(id, new Date(updatedAt).getTime())
  }

  /** Merges fields; of two changes of one field the later one stands. */
  async update(
    id: string,
    change: { title?: string; metadata?: Record<string, unknown>; owner?: string },
  ): Promise<StorageThreadType> {
    await this.must(id)
    const { title, metadata: own } = titleFields(change.title)
    const now = this.#history.store.now()
    await this.#history.updateConversation(id, {
      ...(change.title !== undefined && { title }),
      ...(change.owner !== undefined && { owner: change.owner }),
      metadata: {
        ...metadataFields(change.metadata),
        ...(change.title !== undefined && own),
        [UPDATED]: isoTime(now),
      },
    })
    await this.#moved(id, now)
    const { record, latest } = await this.must(id)
    return threadOf(id, record, latest.position)
  }

  /** Puts a thread where a change of this time puts it in the list by activity. */
  async #moved(id: string, ms: number): Promise<void> {
    const { store, tenant } = this.#history
    await Activity.of(store).placed(tenant, id, ms)
  }

  async count(resourceId: string | undefined): Promise<number> {
    const { store, tenant } = this.#history
    return (await store.countItems(createdKey(tenant, resourceId))).count
  }

  /** Threads of a list, the latest first, from `offset`; `updatedAt` is only for those of a resource. */
  async rows(asked: ThreadRows): Promise<StorageThreadType[]> {
    const isThere = ({ found }: { found: readonly Row[] }): boolean => found.length > 0
    const read = await certain(this.#history, 'threads', () => this.#rows(asked), isThere)
    const threads: StorageThreadType[] = []
    for (const slice of slicesOf(read.found, READS_AT_ONCE)) {
      threads.push(...(await Promise.all(slice.map((row) => this.#shown(row)))))
    }
    return threads
  }

  async #rows({
    resourceId,
    field,
    offset,
    limit,
  }: ThreadRows): Promise<{ readonly found: readonly Row[]; readonly complete: boolean }> {
    const { tenant } = this.#history
    const key =
      field === 'updatedAt' && resourceId !== undefined
        ? activeKey(tenant, resourceId)
        : createdKey(tenant, resourceId)
    const chunk = Math.min(PAGE_ITEMS_MAX, offset + limit)
    const rows = rowsOfList(this.#reader, key, { before: undefined, chunk })
    const found: Row[] = []
    let skipped = 0
    if (limit > 0) {
      for await (const row of rows) {
        if (resourceId !== undefined && row.record!.owner?.name !== resourceId) continue
        if (skipped++ < offset) continue
        if (found.push(row) === limit) break
      }
    }
    return { found, complete: rows.complete }
  }

  async #shown({ conversationId, record }: Row): Promise<StorageThreadType> {
    const { position } = await this.#reader.latest(conversationId)
    return threadOf(conversationId, record!, position)
  }
}

/** The order of saving is that of `createdAt`, and all messages are of the thread's resource. */
export function isRegular({ record }: FoundThread): boolean {
  return record.metadata[IRREGULAR] !== true
}

export function notFound(threadId: string): StorageError {
  return new StorageError('NOT_FOUND', `thread ${JSON.stringify(threadId)} not found`)
}

/**
 * The answer of a read. One that found nothing and may be incomplete is made again: a place may only be slow. What the
 * primary does not have counts as absent, also where the backup cannot tell whether another process went past it.
 *
 * @throws StorageError `UNAVAILABLE` while the primary is out: nothing must not be taken for absence.
 */
export async function certain<T extends { readonly complete: boolean }>(
  { store }: ChatHistory,
  what: string,
  read: () => Promise<T>,
  isThere: (answer: T) => boolean,
): Promise<T> {
  for (let looks = 1; ; looks++) {
    const answer = await read()
    if (answer.complete || isThere(answer)) return answer
    if (looks === LOOKS_MAX) {
      if (store.getHealthStatus().backends.primary.healthy) return answer
      throw mayBeElsewhere(what)
    }
    await store.pause(looks * LOOK_MS)
  }
}

/** What was not found may be where nobody can look. */
export function mayBeElsewhere(what: string): StorageError {
  const why = 'and a place that may have it cannot be reached'
  return new StorageError('UNAVAILABLE', `${what} was not found, ${why}`)
}

function iso(name: string, date: Date): string {
  const time = new Date(date)
  if (Number.isNaN(time.getTime())) throw invalid(`${name} must be a date, got ${showValue(date)}`)
  return time.toISOString()
}
