/*
 * Mastra orders messages by `createdAt`. In a regular thread that is the order in which they stand, so that a page
 * reads what is on it; of others all is read and sorted. Equal times keep their order, and a descending list is the
 * ascending one backwards.
 */
import type { MastraDBMessage } from '@mastra/core/memory'
import type {
  StorageCloneThreadInput,
  StorageListMessagesInput,
  StorageListMessagesOutput,
} from '@mastra/core/storage'
import { checkText, CONVERSATION_ID_BYTES_MAX, PAGE_ITEMS_MAX } from '../../core/limits.ts'
import type { ChatHistory } from '../../chat/chat-history.ts'
import type { MessageStore } from './message-store.ts'
import { isRegular, type FoundThread, type ThreadStore } from './thread-store.ts'

type Direction = 'ASC' | 'DESC'

/** What `listMessages` is asked, with its defaults. */
export type ListQuery = Omit<StorageListMessagesInput, 'threadId' | 'orderBy'> & {
  readonly threadIds: readonly string[]
  readonly perPage: number | false
  readonly direction: Direction
}

/** A part of the messages that are wanted. */
interface Slice {
  readonly messages: readonly MastraDBMessage[]
  /** How many are wanted, or as many of them as were looked for. */
  readonly total: number
}

const NOTHING: Slice = { messages: [], total: 0 }

export class MessageLists {
  readonly #history: ChatHistory
  readonly #threads: ThreadStore
  readonly #messages: MessageStore

  constructor(history: ChatHistory, threads: ThreadStore, messages: MessageStore) {
    this.#history = history
    this.#threads = threads
    this.#messages = messages
  }

  async page(query: ListQuery): Promise<StorageListMessagesOutput> {
    const { include = [], filter, perPage, page = 0, direction, includeTotal = true } = query
    const threadIds = [...new Set(query.threadIds)]
    for (const id of threadIds) checkText('threadId', id.trim(), CONVERSATION_ID_BYTES_MAX)
    const limit = perPage === false ? Infinity : perPage
    const offset = perPage === false ? 0 : page * perPage
    const [slice, included] = await Promise.all([
      limit === 0 ? NOTHING : this.#slice(threadIds, query, { offset, limit }),
      this.#included(include, query.resourceId),
    ])
    const { total } = slice
    const byId = new Map([...slice.messages, ...included].map((message) => [message.id, message]))
    const messages = inOrder([...byId.values()], 'createdAt', direction)
    const own = messages.filter(({ threadId }) => threadIds.includes(threadId!))
    const isExtended = include.length > 0 && includeTotal && !hasMetadata(filter)
    const seen = isExtended ? own.length : offset + slice.messages.length
    return { messages, total, page, perPage, hasMore: limit > 0 && seen < total }
  }

  async #slice(
    threadIds: readonly string[],
    query: ListQuery,
    { offset, limit }: { readonly offset: number; readonly limit: number },
  ): Promise<Slice> {
    const { direction, resourceId, includeTotal = true } = query
    const found = await Promise.all(threadIds.map((id) => this.#threads.find(id)))
    const [only] = found
    if (found.length === 1 && only !== undefined && isRegular(only)) {
      const part = { offset, limit, includeTotal }
      return await this.#regularSlice(threadIds[0]!, only, query, part)
    }
    const all: MastraDBMessage[] = []
    for (const [i, id] of threadIds.entries()) all.push(...(await this.#allOf(id, found[i])))
    const isWanted = wantedBy(query)
    const wanted = all.filter((message) => {
      return (!resourceId || message.resourceId === resourceId) && isWanted(message)
    })
    const sorted = inOrder(wanted, 'createdAt', 'ASC')
    if (direction === 'DESC') sorted.reverse()
    return { messages: sorted.slice(offset, offset + limit), total: sorted.length }
  }

  /** Reads no more than it must: what is before the slice, the slice, and for a total all that a filter may leave. */
  async #regularSlice(
    id: string,
    { record }: FoundThread,
    query: ListQuery,
    part: { readonly offset: number; readonly limit: number; readonly includeTotal: boolean },
  ): Promise<Slice> {
    const { direction, resourceId, filter } = query
    const { offset, limit, includeTotal } = part
    const owner = record.owner?.name
    if (resourceId && resourceId !== owner) return NOTHING
    const isFiltered = filter?.dateRange !== undefined || hasMetadata(filter)
    const isCounted = includeTotal && isFiltered
    const most = isCounted ? Infinity : offset + limit + (includeTotal ? 0 : 1)
    const order = direction === 'ASC' ? 'oldest' : 'newest'
    const chunk = Math.min(most, PAGE_ITEMS_MAX)
    const isWanted = wantedBy(query)
    const wanted: MastraDBMessage[] = []
    for await (const message of this.#messages.walk({ id, resourceId: owner }, order, chunk)) {
      if (isBeyond(message, query)) break
      if (isWanted(message) && wanted.push(message) === most) break
    }
    const isWhole = isFiltered || !includeTotal
    const total = isWhole ? wanted.length : await this.#history.countMessages(id)
    return { messages: wanted.slice(offset, offset + limit), total }
  }

  async #allOf(id: string, found: FoundThread | undefined): Promise<MastraDBMessage[]> {
    return await this.#messages.all({ id, resourceId: found?.record.owner?.name })
  }

  /** Single messages with those around them, of any thread, but only of the resource that is asked for. */
  async #included(
    include: NonNullable<StorageListMessagesInput['include']>,
    resourceId: string | undefined,
  ): Promise<MastraDBMessage[]> {
    if (include.length === 0) return []
    const places = await this.#messages.placesOf(include.map(({ id }) => id))
    const found = include.map(async ({ id, threadId: given, ...around }) => {
      const threadId = places.get(id)?.thread ?? given
      if (threadId === undefined) return []
      const { withPreviousMessages: previous = 0, withNextMessages: next = 0 } = around
      const thread = await this.#threads.find(threadId)
      if (thread !== undefined && isRegular(thread)) {
        const owner = thread.record.owner?.name
        if (resourceId && resourceId !== owner) return []
        return await this.#messages.around({ id: threadId, resourceId: owner }, id, previous, next)
      }
      const all = (await this.#allOf(threadId, thread)).filter((message) => {
        return !resourceId || message.resourceId === resourceId
      })
      const sorted = inOrder(all, 'createdAt', 'ASC')
      const at = sorted.findIndex((message) => message.id === id)
      return at < 0 ? [] : sorted.slice(Math.max(0, at - previous), at + next + 1)
    })
    return (await Promise.all(found)).flat()
  }

  /** The messages of a thread that name another resource than the thread has. */
  async ofOtherResources(threadId: string): Promise<MastraDBMessage[]> {
    const found = await this.#threads.must(threadId)
    if (isRegular(found)) return []
    const owner = found.record.owner?.name
    return (await this.#allOf(threadId, found)).filter(({ resourceId }) => resourceId !== owner)
  }

  /** The messages that a copy of a thread gets, the oldest first. */
  async forCopy(
    threadId: string,
    { messageLimit = 0, messageFilter = {} }: StorageCloneThreadInput['options'] = {},
  ): Promise<MastraDBMessage[]> {
    const { startDate, endDate, messageIds = [] } = messageFilter
    const range = { ...(startDate && { start: startDate }), ...(endDate && { end: endDate }) }
    const isWanted = wantedBy({ filter: { dateRange: range } })
    const all = await this.#allOf(threadId, await this.#threads.must(threadId))
    const wanted = inOrder(all, 'createdAt', 'ASC').filter((message) => {
      return (messageIds.length === 0 || messageIds.includes(message.id)) && isWanted(message)
    })
    return messageLimit > 0 ? wanted.slice(-messageLimit) : wanted
  }
}

type Filter = Pick<ListQuery, 'filter'>

function hasMetadata(filter: ListQuery['filter']): boolean {
  return Object.keys(filter?.metadata ?? {}).length > 0
}

function wantedBy({ filter }: Filter): (message: MastraDBMessage) => boolean {
  const { dateRange = {}, metadata = {} } = filter ?? {}
  const { start, end, startExclusive, endExclusive } = dateRange
  const from = start && new Date(start).getTime() + (startExclusive ? 1 : 0)
  const to = end && new Date(end).getTime() - (endExclusive ? 1 : 0)
  const values = Object.entries(metadata)
  return ({ createdAt, content }) => {
    const ms = createdAt.getTime()
    if ((from !== undefined && ms < from) || (to !== undefined && ms > to)) return false
    const own = content.metadata ?? {}
    return values.every(([name, value]) => Object.hasOwn(own, name) && own[name] === value)
  }
}

/** Behind it none is in the range of time, in the order in which they are read. */
function isBeyond(
  { createdAt }: MastraDBMessage,
  { filter, direction }: Filter & { readonly direction: Direction },
): boolean {
  const { start, end } = filter?.dateRange ?? {}
  if (direction === 'ASC') return end !== undefined && createdAt > new Date(end)
  return start !== undefined && createdAt < new Date(start)
}

/** Equal times keep the order in which they came. */
export function inOrder<T extends { createdAt: Date; updatedAt?: Date }>(
  rows: readonly T[],
  field: 'createdAt' | 'updatedAt',
  direction: 'ASC' | 'DESC',
): T[] {
  const sign = direction === 'ASC' ? 1 : -1
  const timeOf = (row: T): number => (row[field] ?? row.createdAt).getTime()
  return [...rows].sort((a, b) => sign * (timeOf(a) - timeOf(b)))
}
