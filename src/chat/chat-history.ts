import { invalid } from '../core/errors.ts'
import { checkText, MESSAGE_ID_BYTES_MAX, PAGE_ITEMS_MAX } from '../core/limits.ts'
import { resolve } from '../core/options.ts'
import { STAMP_MIN, stampMs, type Stamp } from '../core/stamp.ts'
import type { EraseReceipt } from '../store/erase/erase-receipt.ts'
import type { AppendOutcome } from '../store/lists.ts'
import type { StoreStatus } from '../store/status.ts'
import type { StoreEvents } from '../store/store-events.ts'
import type { StrategicStorageManager } from '../store/strategic-storage-manager.ts'
import type { WriteOutcome } from '../strategy/write/write-port.ts'
import type { ReconcileReport } from '../sync/reconcile-report.ts'
import type { PassOptions, VerifyOptions } from '../sync/reconciler.ts'
import { encodeMessage, messageBody, type Taken } from './codec.ts'
import { itemsOf, notFound, positionsById } from './message-items.ts'
import { CLEAR, clearReceipt, ERASE, type ClearOptions, type EraseOptions } from './removals.ts'
import type {
  CleanContentOptions,
  CleanContentReport,
  ContentData,
  SaveContentOptions,
  SavedContent,
  StoredContent,
} from './content/content-options.ts'
import { Contents } from './content/contents.ts'
import { ConversationReader } from './conversation-reader.ts'
import { HISTORY, type HistoryOptions } from './history-options.ts'
import { importItems } from './records/import-items.ts'
import { Activity } from './records/activity.ts'
import { ConversationRecords } from './records/conversation-records.ts'
import type {
  ConversationPatch,
  CountConversationsOptions,
  ListConversationsOptions,
  NewConversation,
  UpdateConversationOptions,
} from './records/record-options.ts'
import type { Retention, RetentionReport } from './retention/retention.ts'
import { Sessions } from './sessions.ts'
import type { SessionTokens } from './session-token.ts'
import {
  CLOSE_OPTIONS,
  closeCalls,
  danglingToolCall,
  FIND_OPTIONS,
  type ClosedToolCalls,
  type CloseToolCallsOptions,
  type DanglingToolCalls,
  type FindToolCallsOptions,
} from './turns/dangling-tool-calls.ts'
import { resolveWindow, type HistoryWindow, type WindowOptions } from './window/window-options.ts'
import { conversationKey, SPACES, tenantPrefix } from './keys.ts'
import type {
  ChatMessage,
  ClearReceipt,
  ConversationDetails,
  ConversationItem,
  ConversationPage,
  ConversationReceipt,
  HistoryPage,
  NewMessage,
  Receipt,
} from './message.ts'
import type { ProviderName } from './providers/shapes.ts'

/**
 * Conversations of one tenant. Every method rejects with a `StorageError`; after `close` with
 * `CLOSED`. `Extras` are fields of your own that its messages have, or the name of a provider whose messages
 * they are; for the compiler alone.
 */
export class ChatHistory<Extras extends object | ProviderName = {}> implements AsyncDisposable {
  readonly #store: StrategicStorageManager
  readonly #tenant: string
  readonly #tokens: SessionTokens | undefined
  readonly #sessions: Sessions | undefined
  readonly #reader: ConversationReader<Extras>
  readonly #retention: Retention | undefined
  readonly #records: ConversationRecords
  readonly #activity: Activity
  readonly #contents: Contents
  /** The store is closed by another history. */
  #isGuest = false

  /** The store is connected by the caller and closed by `close`. The tenant may be empty. */
  constructor(
    store: StrategicStorageManager,
    tenant = '',
    tokens?: SessionTokens,
    retention?: Retention,
  ) {
    tenantPrefix(tenant)
    this.#retention = retention
    this.#store = store
    this.#tenant = tenant
    this.#sessions = tokens === undefined ? undefined : new Sessions(store, tenant, tokens)
    this.#reader = new ConversationReader(store, tenant, this.#sessions)
    this.#records = new ConversationRecords(store, tenant)
    this.#activity = Activity.of(store)
    this.#contents = new Contents(store, tenant)
    this.#tokens = tokens
  }

  /**
   * The conversations of another tenant, in the same store. It costs nothing to make; closing it closes nothing, and
   * it applies no `retention`.
   */
  forTenant(tenant: string): ChatHistory<Extras> {
    const history = new ChatHistory<Extras>(this.#store, tenant, this.#tokens)
    history.#isGuest = true
    return history
  }

  /** The store underneath, for its events and everything that is not about messages. */
  get store(): StrategicStorageManager {
    return this.#store
  }

  /**
   * Saves one message at the end of the conversation. With an id of the caller's, saving it again
   * with the same content is acknowledged and stored once.
   *
   * @throws StorageError `INVALID_ARGUMENT`, `CONFLICT` (the id already exists with different content),
   * `OVERLOADED`, `TIMEOUT` or `UNAVAILABLE`. With effect `unknown` it may have been saved: only a
   * repeat with an id of your own is certain not to store it twice.
   */
  async saveMessage(conversationId: string, message: NewMessage<Extras>): Promise<Receipt> {
    const [receipt] = await this.saveMessages(conversationId, [message])
    return receipt!
  }

  /** Saves messages in order, all or nothing at each place. At most 1000. Errors as `saveMessage`. */
  async saveMessages(
    conversationId: string,
    messages: readonly NewMessage<Extras>[],
  ): Promise<readonly Receipt[]> {
    return await this.#save(conversationId, messages, 'message')
  }

  /**
   * The same for what has no role, such as the function calls and the reasoning of OpenAI's Responses, and
   * for messages between them: an item has a role or a `type`. All of it is read back where messages are,
   * as it came.
   */
  async saveItems(
    conversationId: string,
    items: readonly ConversationItem<Extras>[],
  ): Promise<readonly Receipt[]> {
    return await this.#save(conversationId, items, 'item')
  }

  /**
   * Saves messages and items of the past, in order, all or nothing at each place: they stand at their own times (`createdAt`),
   * as far as these come after the latest message of the conversation, so that lists and `retention` take them for as
   * old as they are. A message of a later time than now, or without one, stands where the one before it does. Nobody
   * else may save to the conversation meanwhile. Otherwise as `saveMessages`.
   */
  async importMessages(
    conversationId: string,
    messages: readonly ConversationItem<Extras>[],
  ): Promise<readonly Receipt[]> {
    const key = this.#key(conversationId)
    const items = itemsOf(messages, 'item')
    await this.#contents.refer(conversationId, messages)
    const outcome = await importItems(this.#store, key, items)
    const receipts = this.#receipts(conversationId, outcome)
    const last = receipts.at(-1)
    if (last !== undefined) {
      await this.#activity.placed(this.#tenant, conversationId, stampMs(last.position))
    }
    return receipts
  }

  /**
   * Saves bytes that are too large for a message, at most 256 MiB; messages of this tenant refer to them by the
   * `ref`. The same bytes are stored once. After an error nothing is to be seen of them, and it may be repeated.
   */
  async saveContent(data: ContentData, options?: SaveContentOptions): Promise<SavedContent> {
    return await this.#contents.save(data, options)
  }

  /** What `saveContent` saved. @throws StorageError `NOT_FOUND`, or `UNAVAILABLE` while a place is away. */
  async readContent(ref: string): Promise<StoredContent> {
    return await this.#contents.read(ref)
  }

  /** Erases content that no message refers to. `UNAVAILABLE` while a place is away: nothing is removed then. */
  async cleanContent(options?: CleanContentOptions): Promise<CleanContentReport> {
    return await this.#contents.clean(options)
  }

  /** One page of a conversation; an unknown conversation is an empty one. */
  async getHistory(conversationId: string, options?: HistoryOptions): Promise<HistoryPage<Extras>> {
    return await this.#reader.page(conversationId, resolve('', options, HISTORY))
  }

  /**
   * The latest messages that fit a model's context: at most so many, or so many tokens, oldest first, and
   * never a tool call without its result or a result without its call. Reads from the latest backwards until
   * that is full, at most 10,000 messages, and says what it left out. What is saved meanwhile may not be in it.
   *
   * @throws StorageError as `getHistory`; `INVALID_ARGUMENT` also for what `countTokens` throws or gives.
   */
  async window(
    conversationId: string,
    options: WindowOptions<Extras>,
  ): Promise<HistoryWindow<Extras>> {
    return await this.#reader.window(conversationId, resolveWindow(options))
  }

  /** The tool calls among the latest messages that have no result. */
  async findDanglingToolCalls(
    conversationId: string,
    options?: FindToolCallsOptions,
  ): Promise<DanglingToolCalls> {
    const found = await this.#reader.openCalls(conversationId, resolve('', options, FIND_OPTIONS))
    const { calls, ...rest } = found
    return { toolCalls: calls.map(danglingToolCall), ...rest }
  }

  /**
   * Saves a result with an error for each tool call that has none, in the form that the call has, so that
   * the conversation can go on after a crash. Its id is made of the call's: processes that do this at the
   * same time, and repeats, end in one. It stands at the end of the conversation; `window` shows it right
   * behind the call.
   *
   * Not promised: that the tool will not answer after all. A result that comes late stands at its own place,
   * and `window` shows it in place of the error.
   *
   * @throws StorageError as `saveMessage`; `UNAVAILABLE`, before any effect, while a place is away that may
   * have the results. What failed can be repeated.
   */
  async closeToolCalls(
    conversationId: string,
    options?: CloseToolCallsOptions,
  ): Promise<ClosedToolCalls> {
    const { olderThanMs, content, ...rest } = resolve('', options, CLOSE_OPTIONS)
    const found = await this.#reader.openCalls(conversationId, rest)
    // Without an age no clock is asked: that of another process may be ahead.
    const before = olderThanMs === 0 ? Infinity : this.#store.now() - olderThanMs
    const save = async (message: object): Promise<Receipt> => {
      return (await this.#save(conversationId, [message], 'item'))[0]!
    }
    const stands = async (id: string): Promise<boolean> => {
      return (await this.getMessage(conversationId, id)) !== undefined
    }
    return await closeCalls(found, { before, content }, { save, stands })
  }

  /** All messages, oldest first, read page by page. What is saved meanwhile may or may not come. */
  async *messages(conversationId: string): AsyncGenerator<ChatMessage<Extras>, void, undefined> {
    let after: string | undefined
    for (;;) {
      const page = await this.getHistory(conversationId, {
        order: 'oldest',
        limit: PAGE_ITEMS_MAX,
        ...(after !== undefined && { after }),
      })
      yield* page.messages
      after = page.nextCursor
      if (after === undefined) return
    }
  }

  /** Undefined when there is none with this id, or when it was removed. */
  async getMessage(conversationId: string, id: string): Promise<ChatMessage<Extras> | undefined> {
    const { key, item } = await this.#reader.find(conversationId, id)
    return item === undefined ? undefined : (await this.#reader.decode(key, [item]))[0]
  }

  /**
   * Replaces a whole message; it keeps its place, and its `createdAt` unless another one is given.
   * Of two concurrent updates the later one wins.
   *
   * @throws StorageError `NOT_FOUND`, or `UNAVAILABLE` when it was not found by a read that may be
   * incomplete.
   */
  async updateMessage(
    conversationId: string,
    id: string,
    message: ConversationItem<Extras>,
  ): Promise<Receipt> {
    checkText('id', id, MESSAGE_ID_BYTES_MAX)
    encodeMessage(message, 'message', 'item')
    const { id: own } = message as { readonly id?: string }
    if (own !== undefined && own !== id) {
      throw invalid(`message.id must be ${JSON.stringify(id)} or left out`)
    }
    const { key, item, complete } = await this.#reader.find(conversationId, id)
    const [existing] = item === undefined ? [] : await this.#reader.decode(key, [item])
    if (item === undefined || existing === undefined) throw notFound(id, complete)
    // What stands may be from before times were checked: it is kept as it is.
    const body = messageBody(message, 'message', 'item')
    const createdAt = body.createdAt ?? existing.createdAt
    await this.#contents.refer(conversationId, [message])
    const outcome = await this.#store.editItem(key, id, item.position, { ...body, createdAt })
    return this.#receipt(id, item.position, outcome)
  }

  /**
   * Removes a message for good; its id cannot be used again until the conversation is cleared.
   * Removing it twice is no error.
   *
   * @throws StorageError as `updateMessage`.
   */
  async deleteMessage(conversationId: string, id: string): Promise<Receipt> {
    const { key, item, complete } = await this.#reader.find(conversationId, id)
    if (item === undefined) throw notFound(id, complete)
    const outcome = await this.#store.removeItem(key, id, item.position)
    return this.#receipt(id, item.position, outcome)
  }

  /**
   * Removes all messages of a conversation. They never come back, whatever is replayed later. Its record stays:
   * `deleteConversation` removes both.
   */
  async clearHistory(conversationId: string, options?: ClearOptions): Promise<ClearReceipt> {
    const { wait } = resolve('', options, CLEAR)
    const key = this.#key(conversationId)
    return await clearReceipt(this.#store, key, await this.#store.delete(key), wait)
  }

  /**
   * Gives a conversation a record: title, owner, metadata. It is listed from then on, also without messages. May be
   * repeated. Two that create one conversation at the same time meet in one record: of each field the later one stands.
   *
   * @throws StorageError `CONFLICT` when it has a record with other fields; otherwise as a save.
   */
  async createConversation(
    conversationId: string,
    fields?: NewConversation,
  ): Promise<ConversationReceipt> {
    return await this.#records.create(conversationId, fields)
  }

  /** What is known of a conversation; undefined when it has neither a record nor messages. */
  async getConversation(conversationId: string): Promise<ConversationDetails | undefined> {
    return await this.#records.get(conversationId)
  }

  /**
   * Changes fields of a record, and makes one for a conversation that has messages only. Of two changes of one field
   * the later one stands, also after an outage; changes of different fields meet.
   *
   * @throws StorageError `NOT_FOUND`, or `UNAVAILABLE` when it was not found by a read that may be incomplete;
   * `CONFLICT` with `ifStamp`; otherwise as a save.
   */
  async updateConversation(
    conversationId: string,
    patch: ConversationPatch,
    options?: UpdateConversationOptions,
  ): Promise<ConversationReceipt> {
    return await this.#records.update(conversationId, patch, options)
  }

  /** Removes a conversation, its messages and its record, for good. One that is not there is no error. */
  async deleteConversation(conversationId: string, options?: ClearOptions): Promise<ClearReceipt> {
    const { wait } = resolve('', options, CLEAR)
    const changes = await this.#records.deletionOf(conversationId)
    return await clearReceipt(
      this.#store,
      this.#key(conversationId),
      await this.#store.changes.write(changes),
      wait,
    )
  }

  async countConversations(options?: CountConversationsOptions): Promise<number> {
    return await this.#records.count(options)
  }

  /**
   * Clears a conversation and its record for good and takes their payloads out of the log, dead letters, caches and the
   * free space of the databases: of every message, and of every version that `updateMessage` replaced.
   * Waits up to `deadlineMs`; what is pending then is done as soon as it can be, also after a restart
   * and by other processes. Ids and the conversation's name stay, in tombstones. The receipt says what
   * nothing here can reach.
   *
   * @throws StorageError as `clearHistory`.
   */
  async eraseConversation(conversationId: string, options?: EraseOptions): Promise<EraseReceipt> {
    const { deadlineMs } = resolve('', options, ERASE)
    const contents = await this.#contents.onlyOf(conversationId)
    return await this.#records.erase(conversationId, deadlineMs, contents)
  }

  /**
   * The same for all conversations of this history's tenant, which must be named. Stop writing for the
   * tenant first: what is saved after the call is not erased.
   *
   * @throws StorageError `INVALID_ARGUMENT` for another tenant than this history's.
   */
  async eraseTenant(tenant: string, options?: EraseOptions): Promise<EraseReceipt> {
    const { deadlineMs } = resolve('', options, ERASE)
    if (tenant !== this.#tenant) {
      throw invalid(`tenant must be this history's, ${JSON.stringify(this.#tenant)}`)
    }
    const prefixes = SPACES.map((space) => tenantPrefix(tenant, space))
    return await this.#store.erase('prefix', prefixes, deadlineMs)
  }

  /** This tenant's erases of the last 30 days and how far each has come, the oldest first. */
  async listErasures(): Promise<readonly EraseReceipt[]> {
    return await this.#store.listErasures(tenantPrefix(this.#tenant))
  }

  async countMessages(conversationId: string): Promise<number> {
    return (await this.#store.countItems(this.#key(conversationId))).count
  }

  /** Conversations that have messages, latest activity first. `limit` 1 to 1000, default 50. */
  async listConversations(options?: ListConversationsOptions): Promise<ConversationPage> {
    return await this.#records.list(options)
  }

  /** What works, what lags and what is wrong; costs no round trip. */
  status(): StoreStatus {
    return this.#store.status()
  }

  /** Compares both databases; changes nothing. With `deep` every value with its digest, too. */
  async verify(options?: VerifyOptions): Promise<ReconcileReport> {
    return await this.#store.verify(options)
  }

  /** Compares both databases and copies what either lacks. */
  async reconcile(options?: PassOptions): Promise<ReconcileReport> {
    return await this.#store.reconcile(options)
  }

  /** Writes the intact values of the other database over damaged ones, and reconciles. */
  async repair(options?: PassOptions): Promise<ReconcileReport> {
    return await this.#store.repair(options)
  }

  /** Resolves when both databases have all that was acknowledged before the call. */
  async flush(): Promise<void> {
    await this.#store.flushWAL()
  }

  /** Adds a listener and returns the function that removes it. */
  on<Name extends keyof StoreEvents>(
    name: Name,
    listener: (event: StoreEvents[Name]) => void,
  ): () => void {
    return this.#store.on(name, listener)
  }

  /**
   * One pass of `retention` now, over all conversations of the tenant.
   *
   * @throws StorageError `INVALID_ARGUMENT` when the history was opened without `retention`.
   */
  async applyRetention(): Promise<RetentionReport> {
    if (this.#retention === undefined) throw invalid('applyRetention needs the option retention')
    return await this.#retention.apply()
  }

  /** Drains and disconnects. May be called again. */
  async close(): Promise<void> {
    if (this.#isGuest) return
    await this.#retention?.stop()
    await this.#store.disconnect()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #save(
    conversationId: string,
    given: readonly object[],
    taken: Taken,
  ): Promise<readonly Receipt[]> {
    const key = this.#key(conversationId)
    const items = itemsOf(given, taken)
    await this.#contents.refer(conversationId, given)
    const moved = this.#activity.saving(this.#tenant, conversationId)
    const outcome = await this.#store.appendItems(key, items)
    await moved
    return this.#receipts(conversationId, outcome)
  }

  #key(conversationId: string): string {
    return conversationKey(this.#tenant, conversationId)
  }

  #receipts(conversationId: string, outcome: AppendOutcome): readonly Receipt[] {
    const positions = positionsById(outcome.operations)
    return outcome.ids.map((id) => ({
      id,
      position: positions.get(id) ?? STAMP_MIN,
      copies: outcome.copies,
      durable: outcome.durable,
      ...this.#sessions?.ofWrite(conversationId, id, positions.get(id) ?? STAMP_MIN, outcome),
    }))
  }

  #receipt(id: string, position: Stamp, { copies, durable }: WriteOutcome): Receipt {
    return { id, position, copies, durable }
  }
}
