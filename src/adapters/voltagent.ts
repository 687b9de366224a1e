import type { ChatHistory } from '../chat/chat-history.ts'
import { OWNER_BYTES_MAX } from '../chat/keys.ts'
import type { ChatMessage } from '../chat/message.ts'
import { isStorageError } from '../core/errors.ts'
import {
  checkInteger,
  checkObject,
  checkText,
  MESSAGE_ID_BYTES_MAX,
  PAGE_ITEMS_MAX,
} from '../core/limits.ts'
import { remember } from '../core/lru.ts'
import { adapterPrefix, entriesOf } from './adapter-parts.ts'
import { allItems, allRows, asJson, collect, nameOf, newestFirst } from './beside-messages.ts'
import {
  fieldAlone,
  fieldsOf,
  nullFields,
  RESOURCE,
  shownConversation,
  textOf,
  titleOf,
} from './voltagent/conversation-fields.ts'
import { shownMessage, slotsOf, type Slot, type Stored } from './voltagent/stored-messages.ts'
import {
  ConversationAlreadyExistsError,
  ConversationNotFoundError,
  type VoltAgentConversation,
  type VoltAgentConversationQuery,
  type VoltAgentMemoryScope,
  type VoltAgentMessage,
  type VoltAgentMessagesOptions,
  type VoltAgentNewConversation,
  type VoltAgentStep,
  type VoltAgentStepsOptions,
} from './voltagent/types.ts'
import { WorkflowStorage } from './voltagent/workflow-storage.ts'

export * from './voltagent/types.ts'
export { WorkflowStorage } from './voltagent/workflow-storage.ts'

const MEMORY = 'workingMemory'

/** Owners and notes that are remembered; what was seen first is forgotten first. */
const NOTED_MAX = 10_000
/** Steps, or messages to save, of one group. */
const GROUP_MAX = 500

/**
 * VoltAgent's `StorageAdapter` on a `ChatHistory`: `new Memory({ storage: new EverthreadStorage(history) })`. Messages
 * are messages of the history, conversations have records in it; the history is closed by whoever opened it.
 *
 * Every method rejects with a `StorageError` when the databases cannot answer, and never takes an outage for an empty history.
 */
export class EverthreadStorage extends WorkflowStorage {
  readonly #history: ChatHistory
  readonly #prefix: string
  /** Owners of conversations, as their records were seen last. */
  readonly #owners = new Map<string, string>()
  /** Users and conversations of which a note was seen. */
  readonly #noted = new Map<string, true>()

  /** @param history Its tenant's conversations are those of the storage. */
  constructor(history: ChatHistory) {
    super(history.store, history.tenant)
    this.#history = history
    this.#prefix = adapterPrefix(history.tenant, 'voltagent')
  }

  // ---- messages

  /** As `addMessages` with one. */
  async addMessage(
    message: VoltAgentMessage,
    userId: string,
    conversationId: string,
  ): Promise<void> {
    await this.addMessages([message], userId, conversationId)
  }

  /**
   * Saves messages at the end of the conversation, those that are new all or nothing. One whose id stands is replaced where it
   * stands, and fields that only the older version had stay. At most 1000.
   *
   * @throws StorageError as `saveMessages` of a history: after an error it can be repeated.
   */
  async addMessages(
    messages: readonly VoltAgentMessage[],
    userId: string,
    conversationId: string,
  ): Promise<void> {
    checkText('userId', userId, OWNER_BYTES_MAX)
    messages.forEach((message, i) => {
      checkObject(`messages[${i}]`, message)
      checkText(`messages[${i}].id`, message.id, MESSAGE_ID_BYTES_MAX)
    })
    const ids = messages.map(({ id }) => id)
    const slots = await this.#slots(userId, conversationId, ids)
    const saved = new Map<string, object>()
    for (const { id: messageId, ...message } of messages) {
      const { id, stored } = slots.get(messageId)!
      const own = { id, userId, ...(id !== messageId && { messageId }) }
      // When it was saved is for the store to say.
      const { createdAt: _createdAt, ...fields } = message as Partial<Stored>
      saved.set(id, { ...(saved.get(id) ?? stored), ...fields, ...own })
    }
    await this.#note(userId, conversationId)
    const all = [...saved.values()] as ChatMessage[]
    await this.#history.saveMessages(conversationId, all, { onConflict: 'replace' })
  }

  /**
   * Messages of this user, oldest first, each with the time at which it was saved as `createdAt` and in its metadata.
   * Reads backwards from the latest one until it has `limit` of them.
   */
  async getMessages<Message = VoltAgentMessage>(
    userId: string,
    conversationId: string,
    options: VoltAgentMessagesOptions = {},
  ): Promise<Message[]> {
    const { limit, before, after, roles } = options
    const most = limit === undefined || limit <= 0 ? Infinity : limit
    const found: object[] = []
    for await (const message of this.#newestFirst(userId, conversationId, most)) {
      const at = new Date(message.createdAt)
      if (before !== undefined && at >= before) continue
      if (after !== undefined && at <= after) continue
      const shown = shownMessage(message)
      if (shown === undefined) continue
      if (roles !== undefined && roles.length > 0 && !roles.includes(shown.role)) continue
      const { metadata } = shown as { metadata?: object }
      found.push({ ...shown, createdAt: at, metadata: { ...metadata, createdAt: at } })
      if (found.length === most) break
    }
    return found.reverse() as Message[]
  }

  /** Removes messages of this user for good. Those that are not there are passed over. */
  async deleteMessages(
    messageIds: readonly string[],
    userId: string,
    conversationId: string,
  ): Promise<void> {
    const slots = await this.#slots(userId, conversationId, messageIds)
    for (const { id, stored } of slots.values()) {
      if (stored !== undefined) await this.#remove(conversationId, id)
    }
  }

  /**
   * Removes messages and steps of this user, of one conversation or of all. The conversations stay. After an error
   * some of it may be gone: repeat it.
   */
  async clearMessages(userId: string, conversationId?: string): Promise<void> {
    checkText('userId', userId, OWNER_BYTES_MAX)
    if (conversationId !== undefined && conversationId !== '') {
      await this.#clear(userId, conversationId)
      return
    }
    for (const id of await this.#conversationsOf(userId)) await this.#clear(userId, id)
  }

  // ---- conversations

  /**
   * Gives a conversation a record; messages that it has already stay. Of several at once one does.
   *
   * @throws ConversationAlreadyExistsError; StorageError.
   */
  async createConversation(input: VoltAgentNewConversation): Promise<VoltAgentConversation> {
    const { id, userId, title, resourceId, metadata } = input
    if ((await this.getConversation(id)) !== null) throw new ConversationAlreadyExistsError(id)
    const shown = titleOf(title)
    try {
      await this.#history.createConversation(id, {
        owner: userId,
        ...(shown.title !== null && { title: shown.title }),
        metadata: { ...fieldsOf(resourceId, metadata), ...shown.field },
      })
    } catch (error) {
      if (isStorageError(error, 'CONFLICT')) throw new ConversationAlreadyExistsError(id)
      throw error
    }
    return await this.#conversation(id)
  }

  /** Null when it has no record; messages alone make none. */
  async getConversation(id: string): Promise<VoltAgentConversation | null> {
    const found = await this.#history.getConversation(id)
    if (found?.owner === undefined) this.#owners.delete(id)
    else remember(this.#owners, id, found.owner, NOTED_MAX)
    if (found?.createdAt === undefined) return null
    return shownConversation(found)
  }

  /** All of a resource, the oldest first. Reads all conversations of the tenant. */
  async getConversations(resourceId: string): Promise<VoltAgentConversation[]> {
    const found = await collect(this.#conversations({ resourceId }))
    return found.reverse()
  }

  /** As `queryConversations` with this user. */
  async getConversationsByUserId(
    userId: string,
    options?: Omit<VoltAgentConversationQuery, 'userId'>,
  ): Promise<VoltAgentConversation[]> {
    return await this.queryConversations({ ...options, userId })
  }

  /**
   * With `userId` and newest first it reads no further than the page; in another order all conversations of the user,
   * without `userId` those of the tenant.
   */
  async queryConversations(options: VoltAgentConversationQuery): Promise<VoltAgentConversation[]> {
    const { orderBy, orderDirection } = options
    const start = checkInteger('offset', options.offset ?? 0, 0, Number.MAX_SAFE_INTEGER)
    const limit = checkInteger('limit', options.limit ?? 0, 0, Number.MAX_SAFE_INTEGER)
    const end = start + (limit || 50)
    const isAsStored =
      orderBy === undefined || (orderBy === 'created_at' && orderDirection === 'DESC')
    const found: VoltAgentConversation[] = []
    for await (const conversation of this.#conversations(options, isAsStored ? end : Infinity)) {
      found.push(conversation)
      if (isAsStored && found.length === end) break
    }
    if (!isAsStored) {
      const sign = orderDirection === 'DESC' ? -1 : 1
      const field = ORDERS[orderBy]
      found.sort((a, b) => sign * a[field].localeCompare(b[field]))
    }
    return found.slice(start, end)
  }

  /** How many the query finds, whatever its limit and offset. Of a user alone it is a count in the database. */
  async countConversations(options: VoltAgentConversationQuery): Promise<number> {
    const { userId, resourceId } = options
    if (userId && !resourceId) return await this.#history.countConversations({ owner: userId })
    return (await collect(this.#conversations(options))).length
  }

  /**
   * Changes fields; `metadata` replaces all of it. Of two at once that change different fields both count.
   *
   * @throws ConversationNotFoundError; StorageError.
   */
  async updateConversation(
    id: string,
    updates: Partial<Omit<VoltAgentConversation, 'id' | 'createdAt' | 'updatedAt'>>,
  ): Promise<VoltAgentConversation> {
    const found = await this.#history.getConversation(id)
    if (found?.createdAt === undefined) throw new ConversationNotFoundError(id)
    const { title, userId, resourceId, metadata } = updates
    const before = found.metadata ?? {}
    const isOwn = (name: string): boolean => !name.startsWith('voltagent.')
    const gone = metadata === undefined ? {} : nullFields(Object.keys(before).filter(isOwn))
    // The resource is written in any case: `updatedAt` is the time of the latest change.
    const resource = resourceId ?? textOf(before[RESOURCE])
    const given = metadata === undefined ? {} : fieldsOf(resource, metadata)
    const shown = title === undefined ? undefined : titleOf(title)
    if (userId !== undefined && found.owner !== undefined && userId !== found.owner) {
      this.#owners.delete(id)
      await this.#note(found.owner, id)
    }
    await this.#history.updateConversation(id, {
      ...(shown && { title: shown.title }),
      ...(userId !== undefined && { owner: userId }),
      metadata: { ...gone, ...given, ...shown?.field, [RESOURCE]: resource },
    })
    return await this.#conversation(id)
  }

  /**
   * Removes the conversation with all messages and steps, of all users.
   *
   * @throws ConversationNotFoundError; StorageError: repeat it.
   */
  async deleteConversation(id: string): Promise<void> {
    if ((await this.getConversation(id)) === null) throw new ConversationNotFoundError(id)
    await this.#history.store.deletePrefix(this.#stepsPrefix(id))
    await this.#history.deleteConversation(id)
  }

  // ---- steps

  /** Saves steps, 500 at a time all or nothing; one whose id stands is replaced. */
  async saveConversationSteps(steps: readonly VoltAgentStep[]): Promise<void> {
    const changes = steps.map((step, i) => {
      const { userId, conversationId, id } = step
      const value = asJson(`steps[${i}]`, step)
      return {
        kind: 'put',
        key: this.#stepsKey(userId, conversationId),
        id: nameOf(id),
        value,
      } as const
    })
    for (const { userId, conversationId } of steps) await this.#note(userId, conversationId)
    const last = new Map(changes.map((change) => [change.key + change.id, change]))
    const kept = [...last.values()]
    for (let i = 0; i < kept.length; i += GROUP_MAX) {
      await this.#history.store.write(kept.slice(i, i + GROUP_MAX))
    }
  }

  /** Steps of this user by `stepIndex`. Reads all of them. */
  async getConversationSteps<Step = VoltAgentStep>(
    userId: string,
    conversationId: string,
    options: VoltAgentStepsOptions = {},
  ): Promise<Step[]> {
    const { limit = 0, operationId } = options
    const key = this.#stepsKey(userId, conversationId)
    const found = await collect(allItems<VoltAgentStep>(this.#history.store, key))
    const wanted = found
      .map(({ value }) => value)
      .filter((step) => !operationId || step.operationId === operationId)
      .toSorted((a, b) => a.stepIndex - b.stepIndex)
    return (limit > 0 ? wanted.slice(-limit) : wanted) as object[] as Step[]
  }

  // ---- working memory

  /** Null when there is none. A conversation's is the field `workingMemory` of its metadata. */
  async getWorkingMemory(params: VoltAgentMemoryScope): Promise<string | null> {
    const { scope, conversationId, userId } = params
    if (scope === 'user' && userId) {
      return (await this.#history.store.get<string>(this.#memoryKey(userId))) ?? null
    }
    if (scope !== 'conversation' || !conversationId) return null
    const memory = (await this.getConversation(conversationId))?.metadata[MEMORY]
    return typeof memory === 'string' ? memory : null
  }

  /** A conversation's may have 65,536 bytes of JSON, a user's 4 MiB. Of a conversation that is not there none is kept. */
  async setWorkingMemory(
    params: VoltAgentMemoryScope & { readonly content: string },
  ): Promise<void> {
    const { scope, conversationId, userId, content } = params
    if (scope === 'user' && userId) {
      await this.#history.store.set(this.#memoryKey(userId), content)
    } else if (scope === 'conversation' && conversationId) {
      await this.#setMemory(conversationId, content)
    }
  }

  /** Removes it. What is not there is no error. */
  async deleteWorkingMemory(params: VoltAgentMemoryScope): Promise<void> {
    const { scope, conversationId, userId } = params
    if (scope === 'user' && userId) {
      await this.#history.store.delete(this.#memoryKey(userId))
    } else if (scope === 'conversation' && conversationId) {
      await this.#setMemory(conversationId, null)
    }
  }

  // ---- within

  #slots(
    userId: string,
    conversationId: string,
    ids: readonly string[],
  ): Promise<ReadonlyMap<string, Slot>> {
    const owner = this.#owners.get(conversationId)
    return slotsOf(this.#history, conversationId, ids, (stored) => {
      return (stored.userId ?? owner) === userId
    })
  }

  /** Messages of this user; those without one are the owner's. */
  async *#newestFirst(
    userId: string,
    conversationId: string,
    most: number,
  ): AsyncGenerator<Stored, void, undefined> {
    let owner: string | undefined
    const all = newestFirst(this.#history, conversationId, most)
    for await (const message of all as AsyncIterable<Stored>) {
      if (message.userId === undefined) {
        owner ??= (await this.#history.getConversation(conversationId))?.owner ?? ''
      }
      if ((message.userId ?? owner) === userId) yield message
    }
  }

  async #remove(conversationId: string, id: string): Promise<void> {
    try {
      await this.#history.deleteMessage(conversationId, id)
    } catch (error) {
      if (!isStorageError(error, 'NOT_FOUND')) throw error
    }
  }

  async #clear(userId: string, conversationId: string): Promise<void> {
    await this.#history.store.delete(this.#stepsKey(userId, conversationId))
    const own: string[] = []
    for await (const { id } of this.#newestFirst(userId, conversationId, Infinity)) own.push(id)
    if (own.length === 0) return
    const isAll = own.length === (await this.#history.countMessages(conversationId))
    if (isAll) await this.#history.clearHistory(conversationId)
    else for (const id of own) await this.#remove(conversationId, id)
  }

  /** Those that are the user's by their record, and those that the user only wrote to. */
  async #conversationsOf(userId: string): Promise<ReadonlySet<string>> {
    const ids = new Set<string>()
    const prefix = this.#notePrefix(userId)
    const noted = entriesOf<true>(this.#history.store, prefix)
    for await (const { key } of noted) ids.add(key.slice(prefix.length))
    for await (const { id } of this.#conversations({ userId })) ids.add(id)
    return ids
  }

  /** Notes that the user writes to a conversation, unless its record says so. */
  async #note(userId: string, conversationId: string): Promise<void> {
    const pair = JSON.stringify([userId, conversationId])
    if (this.#owners.get(conversationId) === userId || this.#noted.has(pair)) return
    const { store } = this.#history
    const key = this.#notePrefix(userId) + conversationId
    if (!(await store.exists(key))) await store.set(key, true)
    remember(this.#noted, pair, true, NOTED_MAX)
  }

  /** Conversations with a record, the newest first. */
  async *#conversations(
    { userId, resourceId }: VoltAgentConversationQuery,
    pageMax = Infinity,
  ): AsyncGenerator<VoltAgentConversation, void, undefined> {
    const found = allRows(async (before) => {
      const { conversations, nextCursor } = await this.#history.listConversations({
        orderBy: 'created',
        limit: Math.min(pageMax, PAGE_ITEMS_MAX),
        ...(userId && { owner: userId }),
        ...(resourceId && { metadata: { [RESOURCE]: resourceId } }),
        ...(before !== undefined && { before }),
      })
      return { rows: conversations, next: nextCursor }
    })
    for await (const conversation of found) yield shownConversation(conversation)
  }

  async #conversation(id: string): Promise<VoltAgentConversation> {
    const found = await this.getConversation(id)
    // It was deleted since.
    if (found === null) throw new ConversationNotFoundError(id)
    return found
  }

  async #setMemory(id: string, content: string | null): Promise<void> {
    const found = await this.#history.getConversation(id)
    if (found?.createdAt === undefined) return
    const metadata = fieldAlone(found.metadata ?? {}, MEMORY, content)
    await this.#history.updateConversation(id, { metadata })
  }

  #memoryKey(userId: string): string {
    return `${this.#prefix}memory/${nameOf(userId)}`
  }

  #notePrefix(userId: string): string {
    return `${this.#prefix}user/${nameOf(userId)}/`
  }

  #stepsPrefix(conversationId: string): string {
    return `${this.#prefix}steps/${nameOf(conversationId)}/`
  }

  #stepsKey(userId: string, conversationId: string): string {
    return this.#stepsPrefix(conversationId) + nameOf(userId)
  }
}

const ORDERS = { created_at: 'createdAt', updated_at: 'updatedAt', title: 'title' } as const
