import { invalid } from '../core/errors.ts'
import { checkText, MESSAGE_ID_BYTES_MAX } from '../core/limits.ts'
import { resolve } from '../core/options.ts'
import { stampMs } from '../core/stamp.ts'
import type { EraseReceipt } from '../store/erase/erase-receipt.ts'
import type { AppendOutcome } from '../store/lists.ts'
import type { NewItem } from '../store/new-values.ts'
import type { StrategicStorageManager } from '../store/strategic-storage-manager.ts'
import { Alternatives } from './branches/alternatives.ts'
import { Branches } from './branches/branches.ts'
import { eraseConversation } from './branches/erase-conversation.ts'
import { ChangeFeed } from './changes/change-feed.ts'
import {
  CLEAR,
  clearReceipt,
  ERASE,
  type ClearOptions,
  type EraseOptions,
} from './clear-options.ts'
import { encodeMessage, messageBody, type Taken } from './codec.ts'
import { Contents } from './content/contents.ts'
import { ConversationReader } from './conversation-reader.ts'
import { conversationKey, SPACES, tenantPrefix } from './keys.ts'
import type { ClearReceipt, ConversationItem, NewMessage, Receipt } from './message.ts'
import { itemsOf, receiptOf, receiptsOf } from './message-items.ts'
import { notFound } from './not-found.ts'
import { Activity } from './records/activity.ts'
import { ConversationRecords } from './records/conversation-records.ts'
import { importBegins, importItems } from './records/import-items.ts'
import type { Retention, RetentionReport } from './retention/retention.ts'
import { SAVE, saveOver, type SaveOptions } from './save-messages.ts'
import { ConversationSearch } from './search/conversation-search.ts'
import { Sessions } from './sessions.ts'
import type { SessionTokens } from './session-token.ts'
import { ReadHistory } from './read-history.ts'
import { Streams } from './streams/streams.ts'
import {
  CLOSE_OPTIONS,
  closeCalls,
  type ClosedToolCalls,
  type CloseToolCallsOptions,
} from './turns/dangling-tool-calls.ts'
import { UPDATE, type UpdateOptions } from './updates/update-options.ts'
import type { ProviderName } from './providers/shapes.ts'

/**
 * Conversations of one tenant. Every method rejects with a `StorageError`; after `close` with
 * `CLOSED`. `Extras` are fields of your own that its messages have, or the name of a provider whose messages
 * they are; for the compiler alone.
 */
export class ChatHistory<Extras extends object | ProviderName = {}>
  extends ReadHistory<Extras>
  implements AsyncDisposable
{
  readonly #store: StrategicStorageManager
  readonly #tenant: string
  readonly #tokens: SessionTokens | undefined
  readonly #sessions: Sessions | undefined
  readonly #reader: ConversationReader<Extras>
  readonly #branches: Branches
  readonly #alternatives: Alternatives
  readonly #search: ConversationSearch<Extras>
  readonly #retention: Retention | undefined
  readonly #records: ConversationRecords
  readonly #activity: Activity
  readonly #contents: Contents
  /** The store is closed by another history. */
  #isGuest = false
  readonly #streams: Streams<Extras>
  readonly #feed: ChangeFeed<Extras>

  /** The store is connected by the caller and closed by `close`. The tenant may be empty. */
  constructor(
    store: StrategicStorageManager,
    tenant = '',
    tokens?: SessionTokens,
    retention?: Retention,
  ) {
    super()
    tenantPrefix(tenant)
    this.#retention = retention
    this.#store = store
    this.#tenant = tenant
    this.#sessions = tokens === undefined ? undefined : new Sessions(store, tenant, tokens)
    this.#branches = new Branches(store, tenant)
    this.#alternatives = new Alternatives(store, tenant, this.#branches)
    this.#streams = new Streams(store, tenant, this.#sessions)
    const { view } = this.#branches.forks
    this.#reader = new ConversationReader(store, view, this.#sessions, this.#streams)
    this.#search = new ConversationSearch(store, tenant, (key, item) =>
      this.#reader.shown(key, item),
    )
    this.#feed = new ChangeFeed(store, tenant)
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

  /** Whose conversations these are; may be empty. */
  override get tenant(): string {
    return this.#tenant
  }

  /** The store underneath, for its events and everything that is not about messages. */
  override get store(): StrategicStorageManager {
    return this.#store
  }

  /** @internal */
  protected override get contents(): Contents {
    return this.#contents
  }

  /** @internal */
  protected override get records(): ConversationRecords {
    return this.#records
  }

  /** @internal */
  protected override get branches(): Branches {
    return this.#branches
  }

  /** @internal */
  protected override get alternatives(): Alternatives {
    return this.#alternatives
  }

  /** @internal */
  protected override get activity(): Activity {
    return this.#activity
  }

  /** @internal */
  protected override get streams(): Streams<Extras> {
    return this.#streams
  }

  /** @internal */
  protected override get reader(): ConversationReader<Extras> {
    return this.#reader
  }

  /** @internal */
  protected override get found(): ConversationSearch<Extras> {
    return this.#search
  }

  /** @internal */
  protected override get feed(): ChangeFeed<Extras> {
    return this.#feed
  }

  /** @internal */
  protected override get sessions(): Sessions | undefined {
    return this.#sessions
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

  /**
   * Saves messages in order, all or nothing at each place. At most 1000; none at all is no write. With `onConflict`
   * what stands is replaced one by one, after what is new was saved: repeat it after an error. Of a message that is
   * left as it was the receipt has no copies. Errors as `saveMessage`.
   */
  async saveMessages(
    conversationId: string,
    messages: readonly NewMessage<Extras>[],
    options?: SaveOptions,
  ): Promise<readonly Receipt[]> {
    return await this.#saveAs('message', conversationId, messages, options)
  }

  /**
   * The same for what has no role, such as the function calls and the reasoning of OpenAI's Responses, and
   * for messages between them: an item has a role or a `type`. All of it is read back where messages are,
   * as it came.
   */
  async saveItems(
    conversationId: string,
    items: readonly ConversationItem<Extras>[],
    options?: SaveOptions,
  ): Promise<readonly Receipt[]> {
    return await this.#saveAs('item', conversationId, items, options)
  }

  async #saveAs(
    taken: Taken,
    conversationId: string,
    given: readonly object[],
    options: SaveOptions | undefined,
  ): Promise<readonly Receipt[]> {
    const { onConflict } = resolve('', options, SAVE)
    if (onConflict === 'reject') return await this.#save(conversationId, given, taken)
    const key = this.#key(conversationId)
    const items = itemsOf(given, taken).map((item, i) => ({ ...item, message: given[i]! }))
    await this.#contents.refer(conversationId, given)
    return await saveOver(items, onConflict, {
      append: (fresh) => this.#append(conversationId, key, fresh),
      find: async (ids) => (await this.#store.readItemsById(key, ids)).items,
      update: ({ message }, id) =>
        this.updateMessage(conversationId, id, message as ConversationItem<Extras>),
    })
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
    const begins = importBegins(this.#store)
    await this.#contents.refer(conversationId, messages)
    const outcome = await importItems(this.#store, key, items, begins)
    const receipts = this.#receipts(conversationId, outcome)
    const last = receipts.at(-1)
    if (last !== undefined) {
      await this.#activity.placed(this.#tenant, conversationId, stampMs(last.position))
    }
    return receipts
  }

  async #save(
    conversationId: string,
    given: readonly object[],
    taken: Taken,
  ): Promise<readonly Receipt[]> {
    const items = itemsOf(given, taken)
    await this.#contents.refer(conversationId, given)
    return await this.#append(conversationId, this.#key(conversationId), items)
  }

  async #append(
    conversationId: string,
    key: string,
    items: readonly NewItem[],
  ): Promise<readonly Receipt[]> {
    const moved = this.#activity.saving(this.#tenant, conversationId)
    const outcome = await this.#store.appendItems(key, items)
    await moved
    return this.#receipts(conversationId, outcome)
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

  /**
   * Replaces a whole message; it keeps its place, and its `createdAt` unless another one is given.
   * Of two concurrent updates the later one wins; with `ifStamp` the first one, and the other is a `CONFLICT`.
   *
   * @throws StorageError `NOT_FOUND`, or `UNAVAILABLE` when it was not found by a read that may be
   * incomplete; with `ifStamp` as `store.write`.
   */
  async updateMessage(
    conversationId: string,
    id: string,
    message: ConversationItem<Extras>,
    options?: UpdateOptions,
  ): Promise<Receipt> {
    const { ifStamp, decide } = resolve('', options, UPDATE)
    checkText('id', id, MESSAGE_ID_BYTES_MAX)
    encodeMessage(message, 'message', 'item')
    const { id: own } = message as { readonly id?: string }
    if (own !== undefined && own !== id) {
      throw invalid(`message.id must be ${JSON.stringify(id)} or left out`)
    }
    const found = await this.#reader.find(conversationId, id)
    const { item, complete } = found
    const existing = item && (await this.#reader.message(conversationId, id))
    if (item === undefined || existing === undefined) throw notFound(id, complete)
    // What stands may be from before times were checked: it is kept as it is.
    const body = messageBody(message, 'message', 'item')
    const createdAt = body.createdAt ?? existing.createdAt
    const value = { ...body, createdAt }
    await this.#contents.refer(conversationId, [message])
    const place = await this.#branches.ownPlace(conversationId, found)
    const outcome =
      ifStamp === undefined
        ? await this.#store.editItem(place.key, id, place.position, value)
        : await this.#store.write([{ kind: 'put', key: place.key, id, value }], {
            if: [{ key: place.key, id, stamp: ifStamp }],
            decide,
          })
    await this.#streams.remove(conversationId, item)
    await this.#branches.touch(conversationId, found)
    return receiptOf(item, outcome)
  }

  /**
   * Removes a message for good; its id cannot be used again until the conversation is cleared.
   * Removing it twice is no error.
   *
   * @throws StorageError as `updateMessage`.
   */
  async deleteMessage(conversationId: string, id: string): Promise<Receipt> {
    const found = await this.#reader.find(conversationId, id)
    if (found.item === undefined) throw notFound(id, found.complete)
    const outcome = await this.#branches.remove(conversationId, found)
    await this.#streams.remove(conversationId, found.item)
    return receiptOf(found.item, outcome)
  }

  /**
   * Removes all messages of a conversation. They never come back, whatever is replayed later. Its record stays:
   * `deleteConversation` removes both.
   */
  async clearHistory(conversationId: string, options?: ClearOptions): Promise<ClearReceipt> {
    const { wait } = resolve('', options, CLEAR)
    const key = this.#key(conversationId)
    const outcome = await this.#branches.clear(conversationId)
    await this.#streams.removeAll(conversationId)
    return await clearReceipt(this.#store, key, outcome, wait)
  }

  /**
   * Removes a conversation, its messages and its record, for good. One that is not there is no error. Forks keep what
   * they share.
   */
  async deleteConversation(conversationId: string, options?: ClearOptions): Promise<ClearReceipt> {
    const { wait } = resolve('', options, CLEAR)
    const key = this.#key(conversationId)
    const outcome = await this.#branches.clearWith(conversationId, (beside) =>
      this.#records.deletionOf(conversationId, beside),
    )
    await this.#streams.removeAll(conversationId)
    return await clearReceipt(this.#store, key, outcome, wait)
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
    const { deadlineMs, forks } = resolve('', options, ERASE)
    const erase = async (id: string, beside: readonly string[]): Promise<EraseReceipt> => {
      const contents = await this.#contents.onlyOf(id)
      return await this.#records.erase(id, deadlineMs, beside, contents)
    }
    const parts = {
      store: this.#store,
      tenant: this.#tenant,
      forks: this.#branches.forks,
      erase,
    }
    return await eraseConversation(parts, conversationId, forks)
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

  /**
   * One pass of `retention` now, over all conversations of the tenant.
   *
   * @throws StorageError `INVALID_ARGUMENT` when the history was opened without `retention`.
   */
  async applyRetention(): Promise<RetentionReport> {
    if (this.#retention === undefined) throw invalid('applyRetention needs the option retention')
    return await this.#retention.apply()
  }

  /** Stores what streams have, drains and disconnects. May be called again. */
  async close(): Promise<void> {
    await this.#streams.close()
    this.#feed.close()
    if (this.#isGuest) return
    await this.#retention?.stop()
    await this.#store.disconnect()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #key(conversationId: string): string {
    return conversationKey(this.#tenant, conversationId)
  }

  #receipts(conversationId: string, outcome: AppendOutcome): readonly Receipt[] {
    return receiptsOf(outcome, (id, position) =>
      this.#sessions?.ofWrite(conversationId, id, position, outcome),
    )
  }
}
