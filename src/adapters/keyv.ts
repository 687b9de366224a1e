import type { ChatHistory } from '../chat/chat-history.ts'
import { encodeJson } from '../core/json.ts'
import { EXPIRES_AT_MAX } from '../store/expiry/expiring-text.ts'
import type { StrategicStorageManager } from '../store/strategic-storage-manager.ts'
import {
  adapterPrefix,
  entriesOf,
  groupsOf,
  keyPart,
  removeAll,
  textOfPart,
} from './adapter-parts.ts'

/** Values of one group, each of which may expire. */
const VALUES_AT_ONCE = 300

/** A value to be set: with `expires` as Keyv 6 hands it over, or with `ttl` as Keyv 5 does. */
export interface KeyvEntry {
  readonly key: string
  /** What Keyv made of the value, or anything of JSON. */
  readonly value: unknown
  /** Unix milliseconds. */
  readonly expires?: number | undefined
  /** Milliseconds from now. */
  readonly ttl?: number | undefined
}

/**
 * A storage adapter of Keyv 5 and 6: `new Keyv({ store: new EverthreadKeyv(history) })`. Values are in both databases and the log of
 * the history, for its tenant. One adapter for each Keyv, since Keyv sets its `namespace`.
 *
 * Every method rejects with a `StorageError` when the places that were asked do not answer, and `get` tells listeners of
 * `error` as well where Keyv 5 would not.
 */
export class EverthreadKeyv {
  /** Keys of one namespace are apart from those of all others and from those without. Set by Keyv. */
  namespace: string | undefined
  /** Tells Keyv 6 that times are absolute. */
  readonly capabilities: { readonly expires: true } = { expires: true }
  readonly #store: StrategicStorageManager
  readonly #prefix: string
  // Keyv 5 iterates over stores that name one of seven dialects, and throws without a url.
  readonly #opts: Record<string, unknown> = { url: '', dialect: 'postgres' }
  readonly #listeners = new Set<(error: unknown) => void>()
  #isKeyv5 = false

  /** The history is opened and closed by the caller; `history.forTenant(…)` keeps tenants apart. */
  constructor(history: Pick<ChatHistory, 'store' | 'tenant'>) {
    this.#store = history.store
    this.#prefix = adapterPrefix(history.tenant, 'keyv')
  }

  /**
   * Options that Keyv 5 looks at, and Keyv 6 never: once they were read, the third argument of `set` is a time from
   * now, and `deleteMany` has one answer.
   */
  get opts(): Record<string, unknown> {
    this.#isKeyv5 = true
    return this.#opts
  }

  /** Listeners of `error`, the only event there is. */
  on(event: string, listener: (error: unknown) => void): this {
    if (event === 'error') this.#listeners.add(listener)
    return this
  }

  /** Undefined when a place answers that there is none. */
  async get<Value>(key: string): Promise<Value | undefined> {
    try {
      return await this.#store.get<Value>(this.#key(key))
    } catch (error) {
      // Keyv 5 tells nobody of this one, and Keyv 6 does it itself.
      if (this.#isKeyv5) for (const listener of this.#listeners) listener(error)
      throw error
    }
  }

  /** In the order of the keys. */
  async getMany<Value>(keys: readonly string[]): Promise<(Value | undefined)[]> {
    const found = await this.#store.mget<Value>(keys.map((key) => this.#key(key)))
    return keys.map((key) => found[this.#key(key)])
  }

  async has(key: string): Promise<boolean> {
    return (await this.#store.get(this.#key(key))) !== undefined
  }

  async hasMany(keys: readonly string[]): Promise<boolean[]> {
    return (await this.getMany(keys)).map((value) => value !== undefined)
  }

  /** @param expires When the value is gone, Unix milliseconds; for Keyv 5 milliseconds from now. Default: it stays. */
  async set(key: string, value: unknown, expires?: number): Promise<boolean> {
    const time = this.#isKeyv5 ? { ttl: expires } : { expires }
    await this.#store.set(this.#key(key), value, this.#expiry(time))
    return true
  }

  /** 300 values, or 8 MiB of them, at a time all or nothing at each place; of two with one key the later one counts. */
  async setMany(entries: readonly KeyvEntry[]): Promise<boolean[]> {
    const byKey = new Map(
      entries.map(({ key, value, ...time }) => {
        const change = { kind: 'set', key: this.#key(key), value, ...this.#expiry(time) } as const
        return [change.key, { change, bytes: Buffer.byteLength(encodeJson(value)) }]
      }),
    )
    for (const group of groupsOf([...byKey.values()], VALUES_AT_ONCE, ({ bytes }) => bytes)) {
      await this.#store.write(group.map(({ change }) => change))
    }
    return entries.map(() => true)
  }

  /** True when there was one. */
  async delete(key: string): Promise<boolean> {
    return (await this.#delete([key]))[0] === true
  }

  /** For each key whether there was one; for Keyv 5 whether there were all. */
  async deleteMany(keys: readonly string[]): Promise<boolean | boolean[]> {
    const were = await this.#delete(keys)
    return this.#isKeyv5 ? were.every(Boolean) : were
  }

  /** Removes the keys of the namespace; without one those without. */
  async clear(): Promise<void> {
    await removeAll(this.#store, this.#scope())
  }

  /** Keys of the namespace and their values, by code points of the keys. What is set meanwhile may come or not. */
  async *iterator(): AsyncGenerator<[key: string, value: unknown], void, undefined> {
    const prefix = this.#scope()
    for await (const { key, value } of entriesOf(this.#store, prefix)) {
      yield [textOfPart(key.slice(prefix.length)), value]
    }
  }

  /** Nothing: whoever opened the history closes it. */
  async disconnect(): Promise<void> {}

  async #delete(keys: readonly string[]): Promise<boolean[]> {
    const were = await this.hasMany(keys)
    await this.#store.deleteMany(keys.map((key) => this.#key(key)))
    return were
  }

  #scope(): string {
    return `${this.#prefix}${keyPart(this.namespace ?? '')}/`
  }

  #key(key: string): string {
    return this.#scope() + keyPart(key)
  }

  /** What is no number of milliseconds is no limit, as in Keyv itself. */
  #expiry({ expires, ttl }: Partial<KeyvEntry>): { readonly expiresAt?: number } {
    const at = expires ?? (ttl === undefined ? undefined : this.#store.now() + ttl)
    if (at === undefined || !Number.isFinite(at)) return {}
    return { expiresAt: Math.min(Math.max(Math.ceil(at), 0), EXPIRES_AT_MAX) }
  }
}
