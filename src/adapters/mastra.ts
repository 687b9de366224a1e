import { MemoryStorage } from '@mastra/core/storage'
import type { MastraDBMessage, StorageThreadType } from '@mastra/core/memory'
import type {
  StorageCloneThreadInput,
  StorageCopyThreadOutput,
  StorageListMessagesByResourceIdInput,
  StorageListMessagesInput,
  StorageListMessagesOutput,
  StorageListThreadsInput,
  StorageListThreadsOutput,
  StorageResourceType,
} from '@mastra/core/storage'
import { isDeepStrictEqual } from 'node:util'
import type { ChatHistory } from '../chat/chat-history.ts'
import { SPACES, tenantPrefix } from '../chat/keys.ts'
import { invalid, isStorageError, StorageError } from '../core/errors.ts'
import { checkArray } from '../core/limits.ts'
import { inOrder, MessageLists } from './mastra/message-lists.ts'
import { MessageStore } from './mastra/message-store.ts'
import { checkMessage, mergedContent } from './mastra/messages.ts'
import { ResourceStore } from './mastra/resource-store.ts'
import { notFound, ThreadStore } from './mastra/thread-store.ts'
import { plain } from './mastra/threads.ts'

/** Page of `listThreads` unless it is said. */
const THREADS_PER_PAGE = 100
/** The same of `listMessages`. */
const MESSAGES_PER_PAGE = 40
/** How often messages are read and merged anew that others change as well. */
const TRIES_MAX = 20

/** A change of a message, as `updateMessages` takes it: fields that are left out stay. */
export type MessageChange = Parameters<MemoryStorage['updateMessages']>[0]['messages'][number]

/**
 * Mastra's memory in a history: a thread is a conversation with its record, a resource its owner.
 *
 * Every call rejects with a `StorageError`: `NOT_FOUND` for a thread that is not there, `CONFLICT` for a message whose
 * id another thread has, `INVALID_ARGUMENT` before any effect. An outage is `UNAVAILABLE` or `TIMEOUT`, or the
 * backup's answer, and never an empty list. Observational memory is not kept: `supportsObservationalMemory` is false.
 */
export class EverthreadMemory extends MemoryStorage {
  /** What `updateThread` is not given stays as it is. */
  override readonly supportsPartialThreadUpdate: boolean = true
  readonly #history: ChatHistory
  readonly #threads: ThreadStore
  readonly #messages: MessageStore
  readonly #lists: MessageLists
  readonly #resources: ResourceStore

  /** The history is opened and closed by the caller; each of its tenants has threads and messages of its own. */
  constructor(history: ChatHistory) {
    super()
    this.#history = history
    this.#threads = new ThreadStore(history)
    this.#messages = new MessageStore(history, this.#threads)
    this.#lists = new MessageLists(history, this.#threads, this.#messages)
    this.#resources = new ResourceStore(history)
  }

  /** Removes all conversations of the tenant, also those that are not Mastra's. */
  override async dangerouslyClearAll(): Promise<void> {
    const { store, tenant } = this.#history
    for (const space of SPACES) {
      let isDone = false
      while (!isDone) isDone = (await store.deletePrefix(tenantPrefix(tenant, space))).done
    }
  }

  // ---- threads

  /** Null when there is none, or when it is another resource's. */
  override async getThreadById({
    threadId,
    resourceId,
  }: {
    threadId: string
    resourceId?: string
  }): Promise<StorageThreadType | null> {
    const thread = await this.#threads.get(threadId)
    if (thread === undefined) return null
    return resourceId === undefined || thread.resourceId === resourceId ? thread : null
  }

  /** Saves all of a thread. Saved again it keeps its first `createdAt`, and its messages. */
  override async saveThread({ thread }: { thread: StorageThreadType }): Promise<StorageThreadType> {
    await this.#threads.save(thread)
    return thread
  }

  /** Merges metadata field by field, in one write that takes nobody else's fields away. */
  override async updateThread({
    id,
    title,
    metadata,
  }: {
    id: string
    title?: string
    metadata?: Record<string, unknown>
  }): Promise<StorageThreadType> {
    return await this.#threads.update(id, {
      ...(title !== undefined && { title }),
      ...(metadata !== undefined && { metadata }),
    })
  }

  /** Removes a thread and its messages for good. One that is not there is no error. */
  override async deleteThread({ threadId }: { threadId: string }): Promise<void> {
    await this.#messages.forget(threadId)
    await this.#history.deleteConversation(threadId)
  }

  /**
   * A page costs what is before it and on it, also for `updatedAt` where a `resourceId` is given; ascending order
   * and a filter of metadata read all threads of the resource.
   */
  override async listThreads({
    page = 0,
    perPage: asked,
    orderBy,
    filter,
  }: StorageListThreadsInput): Promise<StorageListThreadsOutput> {
    const { field, direction } = this.parseOrderBy(orderBy)
    this.validatePaginationInput(page, asked ?? THREADS_PER_PAGE)
    this.validateMetadataKeys(filter?.metadata)
    const perPage = asked ?? THREADS_PER_PAGE
    const limit = perPage === false ? Infinity : perPage
    const offset = perPage === false ? 0 : page * perPage
    const resourceId = filter?.resourceId || undefined
    const wanted = Object.entries(plain(filter?.metadata ?? {}))
    const isListed = field === 'createdAt' || resourceId !== undefined
    const rows = { resourceId, field, offset, limit }
    if (direction === 'DESC' && isListed && wanted.length === 0) {
      const [threads, total] = await Promise.all([
        this.#threads.rows(rows),
        this.#threads.count(resourceId),
      ])
      const hasMore = offset + limit < total
      return { threads: inOrder(threads, field, direction), total, page, perPage, hasMore }
    }
    const all = await this.#threads.rows({
      ...rows,
      field: 'createdAt',
      offset: 0,
      limit: Infinity,
    })
    const matching = all.filter(({ metadata = {} }) => {
      return wanted.every(([name, value]) => isDeepStrictEqual(metadata[name], value))
    })
    const threads = inOrder(matching, field, direction)
    const total = threads.length
    const hasMore = offset + limit < total
    return { threads: threads.slice(offset, offset + limit), total, page, perPage, hasMore }
  }

  /** Gives a thread and all its messages to another resource. */
  override async updateThreadResourceId({
    threadId,
    resourceId,
  }: {
    threadId: string
    resourceId: string
  }): Promise<StorageThreadType> {
    const thread = await this.#threads.get(threadId)
    if (thread === undefined) throw notFound(threadId)
    if (thread.resourceId === resourceId) return thread
    const updated = await this.#threads.update(threadId, { owner: resourceId })
    // Most messages name no resource of their own.
    const own = await this.#lists.ofOtherResources(threadId)
    await this.updateMessages({ messages: own.map(({ id }) => ({ id, resourceId })) })
    return updated
  }

  /** Copies a thread and its messages, which get ids of their own. The copy is there once all of it is. */
  override async copyThread(of: StorageCloneThreadInput): Promise<StorageCopyThreadOutput> {
    const { sourceThreadId, newThreadId, resourceId, title, metadata, options } = of
    const { store } = this.#history
    const source = await this.#threads.get(sourceThreadId)
    if (source === undefined) throw notFound(sourceThreadId)
    const id = newThreadId || store.groups.newId()
    if ((await this.#history.getConversation(id)) !== undefined) {
      throw new StorageError('CONFLICT', `thread ${JSON.stringify(id)} already exists`)
    }
    const messages = await this.#lists.forCopy(sourceThreadId, options)
    const now = new Date(store.now())
    const last = messages.at(-1)
    const clone = { sourceThreadId, clonedAt: now, ...(last && { lastMessageId: last.id }) }
    const named = title || (source.title ? `Clone of ${source.title}` : undefined)
    const owner = resourceId || source.resourceId
    const thread: StorageThreadType = {
      id,
      resourceId: owner,
      ...(named !== undefined && { title: named }),
      metadata: { ...metadata, clone },
      createdAt: now,
      updatedAt: now,
    }
    const copies = messages.map((message) => ({
      ...message,
      id: store.groups.newId() as string,
      threadId: id,
      resourceId: resourceId || message.resourceId || owner,
    }))
    await this.#threads.save(thread)
    try {
      await this.#messages.save(copies)
    } catch (error) {
      await this.deleteThread({ threadId: id }).catch(() => {})
      throw error
    }
    const ids = messages.map((message, i) => [message.id, copies[i]!.id] as const)
    return { thread, messageIdMap: Object.fromEntries(ids) }
  }

  // ---- messages

  /** Messages of threads, the oldest first by default; unknown threads have none. */
  override async listMessages(of: StorageListMessagesInput): Promise<StorageListMessagesOutput> {
    const threadIds = Array.isArray(of.threadId) ? of.threadId : [of.threadId]
    if (threadIds.length === 0) throw invalid('threadId must have at least one id')
    return await this.#list(of, threadIds)
  }

  /** Reads all threads of the resource. */
  override async listMessagesByResourceId(
    of: StorageListMessagesByResourceIdInput,
  ): Promise<StorageListMessagesOutput> {
    const { resourceId } = of
    const rows = { resourceId, field: 'createdAt', offset: 0, limit: Infinity } as const
    const threads = await this.#threads.rows(rows)
    return await this.#list(
      of,
      threads.map(({ id }) => id),
    )
  }

  async #list(
    of: Omit<StorageListMessagesInput, 'threadId'>,
    threadIds: readonly string[],
  ): Promise<StorageListMessagesOutput> {
    const { direction } = this.parseOrderBy(of.orderBy, 'ASC')
    this.validatePaginationInput(of.page ?? 0, of.perPage ?? MESSAGES_PER_PAGE)
    this.validateMetadataKeys(of.filter?.metadata)
    return await this.#lists.page({ perPage: MESSAGES_PER_PAGE, ...of, threadIds, direction })
  }

  /** Messages of whichever thread, the oldest first. Ids that are not there are left out. */
  override async listMessagesById({
    messageIds,
  }: {
    messageIds: string[]
  }): Promise<{ messages: MastraDBMessage[] }> {
    checkArray('messageIds', messageIds)
    const found = await this.#messages.find(messageIds)
    const messages = found.map(({ message }) => message)
    return { messages: inOrder(messages, 'createdAt', 'ASC') }
  }

  /**
   * Saves messages, each 300 all or nothing. One that stands in its thread is replaced where it is.
   *
   * @throws StorageError `NOT_FOUND` for a thread that was not saved; `CONFLICT` for an id that another thread has, or
   *   of a message that was deleted from this one. What failed may be repeated as it is.
   */
  override async saveMessages({
    messages,
  }: {
    messages: MastraDBMessage[]
  }): Promise<{ messages: MastraDBMessage[] }> {
    checkArray('messages', messages)
    const now = new Date(this.#history.store.now())
    const dated = messages.map((message) => ({ ...message, createdAt: message.createdAt ?? now }))
    dated.forEach((message, i) => checkMessage(`messages[${i}]`, message))
    const replaced = await this.#messages.save(dated)
    await this.#touch([...replaced].map((threadId) => ({ threadId })))
    return { messages }
  }

  /** Merges fields into messages, in one group, each only as it was read. Ids that are not there are left out. */
  override async updateMessages({
    messages: changes,
  }: {
    messages: MessageChange[]
  }): Promise<MastraDBMessage[]> {
    checkArray('messages', changes)
    for (let tries = 1; ; tries++) {
      const found = await this.#messages.find(changes.map(({ id }) => id))
      const changed = found.map((each) => ({
        found: each,
        message: changes.filter(({ id }) => id === each.message.id).reduce(merged, each.message),
      }))
      if (changed.length === 0) return []
      changed.forEach(({ message }, i) => checkMessage(`messages[${i}]`, message))
      try {
        await this.#messages.replace(changed)
        await this.#touch(changed.flatMap((each) => [each.found.message, each.message]))
        return changed.map(({ message }) => message)
      } catch (error) {
        const mayRepeat = isStorageError(error, 'CONFLICT') && error.effect === 'none'
        if (!mayRepeat || tries === TRIES_MAX) throw error
      }
    }
  }

  /** Removes messages for good: their ids cannot be used again in their threads. */
  override async deleteMessages(messageIds: string[]): Promise<void> {
    checkArray('messageIds', messageIds)
    const threadIds = await this.#messages.remove(messageIds)
    await this.#touch([...threadIds].map((threadId) => ({ threadId })))
  }

  /** The threads were changed now. */
  async #touch(messages: readonly { readonly threadId?: string }[]): Promise<void> {
    for (const threadId of new Set(messages.map(({ threadId }) => threadId!))) {
      try {
        await this.#threads.update(threadId, {})
      } catch (error) {
        // Deleted since.
        if (!isStorageError(error, 'NOT_FOUND')) throw error
      }
    }
  }

  // ---- resources

  /** Null when nothing was saved of it. */
  override async getResourceById({
    resourceId,
  }: {
    resourceId: string
  }): Promise<StorageResourceType | null> {
    return await this.#resources.get(resourceId)
  }

  /** Saves all of a resource: the last save stands. */
  override async saveResource({
    resource,
  }: {
    resource: StorageResourceType
  }): Promise<StorageResourceType> {
    await this.#resources.save(resource)
    return resource
  }

  /** Merges metadata field by field; makes a resource that is not there. */
  override async updateResource({
    resourceId,
    ...change
  }: {
    resourceId: string
    workingMemory?: string
    metadata?: Record<string, unknown>
  }): Promise<StorageResourceType> {
    return await this.#resources.update(resourceId, change)
  }
}

function merged(message: MastraDBMessage, change: MessageChange): MastraDBMessage {
  const { content, ...fields } = change
  const given = Object.entries(fields).filter(([, value]) => value !== undefined)
  return {
    ...message,
    ...Object.fromEntries(given),
    ...(content !== undefined && { content: mergedContent(message.content, content) }),
  }
}
