import { invalid, StorageError } from '../core/errors.ts'
import { checkArray, checkText, MESSAGE_ID_BYTES_MAX, PAGE_ITEMS_MAX } from '../core/limits.ts'
import type { Operation } from '../core/operation.ts'
import { DATABASE_PLACES } from '../core/places.ts'
import { byDefault, ms, oneOf, secret } from '../core/option-kinds.ts'
import { resolve, type OptionTable } from '../core/options.ts'
import { DAY_MS } from '../core/time.ts'
import { isoTime } from '../core/iso-time.ts'
import { STAMP_MIN, stampMs, type Stamp } from '../core/stamp.ts'
import type { EraseReceipt } from '../store/erase/erase-receipt.ts'
import type { StoreStatus } from '../store/status.ts'
import type { StoreEvents } from '../store/store-events.ts'
import type { StrategicStorageManager } from '../store/strategic-storage-manager.ts'
import type { WriteOutcome } from '../strategy/write/write-port.ts'
import type { ReconcileReport } from '../sync/reconcile-report.ts'
import type { PassOptions, VerifyOptions } from '../sync/reconciler.ts'
import { encodeMessage, messageBody, type Taken } from './codec.ts'
import { ConversationReader } from './conversation-reader.ts'
import { HISTORY, LIMIT, type HistoryOptions } from './history-options.ts'
import { formatLatestCursor, parseLatestCursor } from './cursor.ts'
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
import { conversationKey, parseConversationKey, tenantPrefix } from './keys.ts'
import type {
  ChatMessage,
  ClearReceipt,
  ConversationItem,
  ConversationPage,
  HistoryPage,
  NewMessage,
  Receipt,
} from './message.ts'
import type { ProviderName } from './providers/shapes.ts'

export interface ClearOptions {
  /**
   * `acknowledged` resolves like a save; a place that is out follows when it is back. `everywhere`
   * waits up to 30 s for both databases and says which of them are clear. Default: `acknowledged`.
   */
  readonly wait?: 'acknowledged' | 'everywhere'
}

/** How an erase is waited for. */
export interface EraseOptions {
  /** How long to wait for the places, at most a day. Milliseconds. Default: 30,000. */
  readonly deadlineMs?: number
}

const CLEAR: OptionTable<ClearOptions, 'wait'> = {
  wait: byDefault('acknowledged', oneOf('acknowledged', 'everywhere')),
}
const ERASE: OptionTable<EraseOptions, 'deadlineMs'> = {
  deadlineMs: byDefault(30_000, ms(0, DAY_MS)),
}
const LIST = { limit: LIMIT, before: secret() }

/**
 * Conversations of one tenant. Every method rejects with a `StorageError`; after `close` with
 * `CLOSED`. `Extras` are fields of your own that its messages have, or the name of a provider whose messages
 * they are; for the compiler alone.
 */
export class ChatHistory<Extras extends object | ProviderName = {}> implements AsyncDisposable {
  readonly #store: StrategicStorageManager
  readonly #tenant: string
  readonly #sessions: Sessions | undefined
  readonly #reader: ConversationReader<Extras>
  readonly #retention: Retention | undefined

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
    return await closeCalls(
      found,
      { before, content },
      {
        save: async (message) => (await this.#save(conversationId, [message], 'item'))[0]!,
        stands: async (id) => (await this.getMessage(conversationId, id)) !== undefined,
      },
    )
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

  /** Removes all messages of a conversation. They never come back, whatever is replayed later. */
  async clearHistory(conversationId: string, options?: ClearOptions): Promise<ClearReceipt> {
    const { wait } = resolve('', options, CLEAR)
    const key = this.#key(conversationId)
    const { copies, durable, operations } = await this.#store.delete(key)
    const has = DATABASE_PLACES.filter((place) => copies.includes(place))
    if (wait === 'acknowledged' || has.length === DATABASE_PLACES.length) {
      return { copies, durable, clear: has }
    }
    const clear = await this.#store.waitUntilCleared(key, operations[0]!.stamp)
    return { copies, durable, clear }
  }

  /**
   * Clears a conversation for good and takes its payloads out of the log, dead letters, caches and the
   * free space of the databases: of every message, and of every version that `updateMessage` replaced.
   * Waits up to `deadlineMs`; what is pending then is done as soon as it can be, also after a restart
   * and by other processes. Ids and the conversation's name stay, in tombstones. The receipt says what
   * nothing here can reach.
   *
   * @throws StorageError as `clearHistory`.
   */
  async eraseConversation(conversationId: string, options?: EraseOptions): Promise<EraseReceipt> {
    const { deadlineMs } = resolve('', options, ERASE)
    return await this.#store.erase('key', this.#key(conversationId), deadlineMs)
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
    return await this.#store.erase('prefix', tenantPrefix(tenant), deadlineMs)
  }

  /** This tenant's erases of the last 30 days and how far each has come, the oldest first. */
  async listErasures(): Promise<readonly EraseReceipt[]> {
    return await this.#store.listErasures(tenantPrefix(this.#tenant))
  }

  async countMessages(conversationId: string): Promise<number> {
    return (await this.#store.countItems(this.#key(conversationId))).count
  }

  /** Conversations that have messages, latest activity first. `limit` 1 to 1000, default 50. */
  async listConversations(options?: {
    readonly limit?: number
    readonly before?: string
  }): Promise<ConversationPage> {
    const { limit, before } = resolve('', options, LIST)
    const page = await this.#store.listLatest({
      prefix: tenantPrefix(this.#tenant),
      limit,
      ...(before !== undefined && { before: parseLatestCursor(this.#tenant, before) }),
    })
    const conversations = page.keys.map(({ key, latest }) => ({
      conversationId: parseConversationKey(key)!.conversationId,
      lastActivityAt: isoTime(stampMs(latest)),
    }))
    const last = page.keys.at(-1)
    const nextCursor =
      page.done || last === undefined
        ? undefined
        : formatLatestCursor(last.latest, conversations.at(-1)!.conversationId)
    return {
      conversations,
      complete: page.complete,
      ...(nextCursor !== undefined && { nextCursor }),
    }
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
    checkArray(`${taken}s`, given)
    const items = given.map((message, i) => {
      const name = given.length === 1 ? taken : `${taken}s[${i}]`
      const value = messageBody(message, name, taken)
      const { id } = message as { readonly id?: string }
      if (id === undefined) return { value, name }
      checkText(`${name}.id`, id, MESSAGE_ID_BYTES_MAX)
      return { value, id, name }
    })
    const outcome = await this.#store.appendItems(key, items)
    const positions = positionsById(outcome.operations)
    return outcome.ids.map((id) => ({
      id,
      position: positions.get(id) ?? STAMP_MIN,
      copies: outcome.copies,
      durable: outcome.durable,
      ...this.#sessions?.ofWrite(conversationId, id, positions.get(id) ?? STAMP_MIN, outcome),
    }))
  }

  #key(conversationId: string): string {
    return conversationKey(this.#tenant, conversationId)
  }

  #receipt(id: string, position: Stamp, { copies, durable }: WriteOutcome): Receipt {
    return { id, position, copies, durable }
  }
}

/** Where each appended message stands; a removed one's place is that of its removal. */
function positionsById(operations: readonly Operation[]): Map<string, Stamp> {
  const positions = new Map<string, Stamp>()
  for (const operation of operations) {
    if (operation.kind !== 'put') continue
    const known = positions.get(operation.id)
    if (known === undefined || operation.position > known) {
      positions.set(operation.id, operation.position)
    }
  }
  return positions
}

function notFound(id: string, complete: boolean): StorageError {
  return complete
    ? new StorageError('NOT_FOUND', `there is no message ${JSON.stringify(id)}`)
    : new StorageError(
        'UNAVAILABLE',
        `message ${JSON.stringify(id)} was not found, and a place that may have it cannot be reached`,
      )
}
