import type { Lock, QueueEntry, StateAdapter } from 'chat'
import type { ChatHistory } from '../chat/chat-history.ts'
import { invalid } from '../core/errors.ts'
import { reading } from '../core/given.ts'
import { checkInteger } from '../core/limits.ts'
import { NameLock } from '../core/name-lock.ts'
import { byDefault, oneOf } from '../core/option-kinds.ts'
import { resolve, type OptionTable } from '../core/options.ts'
import { showKind, showValue } from '../core/show-value.ts'
import type { Decider } from '../strategy/write/write-port.ts'
import { EXPIRES_AT_MAX } from '../store/expiry/expiring-text.ts'
import type { StrategicStorageManager } from '../store/strategic-storage-manager.ts'
import { adapterPrefix, changeValue, keyPart, writeIf, type Next } from './adapter-parts.ts'

/** Longest time to live: a hundred years. Milliseconds. */
const TTL_MS_MAX = 100 * 366 * 86_400_000

/** How an `EverthreadChatState` decides. */
export interface ChatStateOptions {
  /**
   * Who decides on locks, `setIfNotExists`, lists and queues. `primary`: the primary alone, so that never two processes hold one lock; while it is
   * out these calls are `UNAVAILABLE`. `anywhere`: while it is out the backup, so that the bot goes on, and two processes of
   * which each reaches another database may both be told yes. Default: `primary`.
   */
  readonly decide?: Decider
}

const OPTIONS: OptionTable<ChatStateOptions, 'decide'> = {
  decide: byDefault<Decider>('primary', oneOf('primary', 'anywhere')),
}

/** Where the parts of the state are kept. */
type Space = 'subscribed' | 'lock' | 'value' | 'list' | 'queue'

/**
 * State of a bot of the Chat SDK (`chat`): `new Chat({ state: new EverthreadChatState(history), … })`. It is in both databases and the log of the
 * history, for its tenant.
 *
 * Values are what JSON makes of them. Every method rejects with a `StorageError` when the places that were asked do not answer: an outage is
 * never "no lock", "not subscribed" or an empty queue.
 */
export class EverthreadChatState implements StateAdapter {
  readonly #store: StrategicStorageManager
  readonly #prefix: string
  readonly #decide: Decider
  /** Writers of one process take turns: only those of others have to be outrun. */
  readonly #turns = new NameLock()

  /** The history is opened and closed by the caller; `history.forTenant(…)` keeps tenants apart. */
  constructor(history: Pick<ChatHistory, 'store' | 'tenant'>, options?: ChatStateOptions) {
    this.#store = history.store
    this.#prefix = adapterPrefix(history.tenant, 'chat-sdk')
    this.#decide = resolve('', options, OPTIONS).decide
  }

  /** Nothing: the history is open. */
  async connect(): Promise<void> {}

  /** Nothing: whoever opened the history closes it. */
  async disconnect(): Promise<void> {}

  async subscribe(threadId: string): Promise<void> {
    await this.#store.set(this.#key('subscribed', threadId), true)
  }

  async unsubscribe(threadId: string): Promise<void> {
    await this.#store.delete(this.#key('subscribed', threadId))
  }

  async isSubscribed(threadId: string): Promise<boolean> {
    return (await this.#store.get(this.#key('subscribed', threadId))) !== undefined
  }

  /**
   * Null while it is held. It ends by itself after `ttlMs`, at least 1, by the clock of each process, which follows the
   * primary's. With effect `unknown` it may be held until then.
   */
  async acquireLock(threadId: string, ttlMs: number): Promise<Lock | null> {
    const key = this.#key('lock', threadId)
    const expiresAt = this.#end(ttlMs)
    const token = this.#store.stamp(key)
    const isTaken = await this.#setIfAbsent(key, token, expiresAt)
    return isTaken ? { threadId, token, expiresAt } : null
  }

  /** False once the lock has ended, was released or taken over: none is brought back. */
  async extendLock(lock: Lock, ttlMs: number): Promise<boolean> {
    const expiresAt = this.#end(ttlMs)
    return await this.#change<string, boolean>(this.#key('lock', lock.threadId), (token) =>
      token !== undefined && token === lock.token
        ? { result: true, value: token, expiresAt }
        : { result: false },
    )
  }

  /** A lock that another one holds by now stays. */
  async releaseLock(lock: Lock): Promise<void> {
    await this.#change<string, undefined>(this.#key('lock', lock.threadId), (token) => ({
      result: undefined,
      ...(token === lock.token && { value: null }),
    }))
  }

  async forceReleaseLock(threadId: string): Promise<void> {
    await this.#store.delete(this.#key('lock', threadId))
  }

  async get<T = unknown>(key: string): Promise<T | null> {
    return (await this.#store.get<T>(this.#key('value', key))) ?? null
  }

  /** @param ttlMs Default, and 0: the value stays. */
  async set<T = unknown>(key: string, value: T, ttlMs?: number): Promise<void> {
    const expiresAt = this.#endIf(ttlMs)
    const options = expiresAt === undefined ? undefined : { expiresAt }
    await this.#store.set(this.#key('value', key), plain(value), options)
  }

  /** True for one of all that try, of every process. */
  async setIfNotExists(key: string, value: unknown, ttlMs?: number): Promise<boolean> {
    return await this.#setIfAbsent(this.#key('value', key), plain(value), this.#endIf(ttlMs))
  }

  async delete(key: string): Promise<void> {
    await this.#store.delete(this.#key('value', key))
  }

  /** A list, which is apart from the value of this key, has at most 4 MiB. Its time is that of the latest append. */
  async appendToList(
    key: string,
    value: unknown,
    options: { readonly maxLength?: number; readonly ttlMs?: number } = {},
  ): Promise<void> {
    const maxLength = checkMost('maxLength', options.maxLength ?? 0) || Infinity
    const added = plain(value)
    const expiresAt = this.#endIf(options.ttlMs)
    await this.#change<unknown[], undefined>(this.#key('list', key), (list = []) => {
      const values = latest([...list, added], maxLength)
      return { result: undefined, value: values, expiresAt }
    })
  }

  async getList<T = unknown>(key: string): Promise<T[]> {
    return (await this.#store.get<T[]>(this.#key('list', key))) ?? []
  }

  /** Keeps the latest `maxSize`. What has expired counts no more. */
  async enqueue(threadId: string, entry: QueueEntry, maxSize: number): Promise<number> {
    checkMost('maxSize', maxSize)
    checkInteger('entry.expiresAt', Math.ceil(entry.expiresAt), 0, EXPIRES_AT_MAX)
    const added = plain(entry) as QueueEntry
    return await this.#change<QueueEntry[], number>(this.#key('queue', threadId), (queue) => {
      const entries = latest([...this.#waiting(queue), added], maxSize)
      return { result: entries.length, ...queueOf(entries) }
    })
  }

  /** The message is what JSON made of it, from which the Chat SDK makes one again. */
  async dequeue(threadId: string): Promise<QueueEntry | null> {
    return await this.#change<QueueEntry[], QueueEntry | null>(
      this.#key('queue', threadId),
      (queue) => {
        const [first, ...rest] = this.#waiting(queue)
        return first === undefined ? { result: null } : { result: first, ...queueOf(rest) }
      },
    )
  }

  async queueDepth(threadId: string): Promise<number> {
    const queue = await this.#store.get<QueueEntry[]>(this.#key('queue', threadId))
    return this.#waiting(queue).length
  }

  #waiting(queue: readonly QueueEntry[] = []): readonly QueueEntry[] {
    const nowMs = this.#store.now()
    return queue.filter(({ expiresAt }) => expiresAt > nowMs)
  }

  async #change<T, R>(key: string, next: (value: T | undefined) => Next<R>): Promise<R> {
    return await this.#turns.run([key], () => changeValue(this.#store, key, this.#decide, next))
  }

  async #setIfAbsent(key: string, value: unknown, expiresAt?: number): Promise<boolean> {
    const change = {
      kind: 'set',
      key,
      value,
      ...(expiresAt !== undefined && { expiresAt }),
    } as const
    return await writeIf(this.#store, change, { key, absent: true }, this.#decide)
  }

  #key(space: Space, name: string): string {
    return `${this.#prefix}${space}/${keyPart(name)}`
  }

  #end(ttlMs: number): number {
    return this.#store.now() + checkInteger('ttlMs', ttlMs, 1, TTL_MS_MAX)
  }

  #endIf(ttlMs: number | undefined): number | undefined {
    return ttlMs === undefined || ttlMs === 0 ? undefined : this.#end(ttlMs)
  }
}

/** What JSON makes of a value: also of messages, which are instances of a class. */
function plain(value: unknown): unknown {
  const text = reading('value', () => JSON.stringify(value) as string | undefined)
  if (text === undefined) throw invalid(`value must be JSON, got ${showKind(value)}`)
  return JSON.parse(text)
}

function checkMost(name: string, most: number): number {
  if (typeof most === 'number' && most >= 0) return most
  throw invalid(`${name} must be 0 or more, got ${showValue(most)}`)
}

function latest<T>(values: readonly T[], most: number): readonly T[] {
  return values.slice(Math.max(0, values.length - most))
}

/** A queue is there for as long as its last entry. */
function queueOf(entries: readonly QueueEntry[]): Pick<Next<unknown>, 'value' | 'expiresAt'> {
  if (entries.length === 0) return { value: null }
  return {
    value: entries,
    expiresAt: Math.max(...entries.map((each) => Math.ceil(each.expiresAt))),
  }
}
