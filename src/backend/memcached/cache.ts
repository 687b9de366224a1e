import type { Env } from '../../core/env.ts'
import {
  invalid,
  isStorageError,
  messageOf,
  StorageConnectionError,
  StorageError,
} from '../../core/errors.ts'
import { encodeJson } from '../../core/json.ts'
import { checkText, KEY_BYTES_MAX } from '../../core/limits.ts'
import { nodeEnv } from '../../core/node-env.ts'
import { checkEnv } from '../../core/option-kinds.ts'
import { withDeadline } from '../../core/time.ts'
import type { CacheBackend } from '../cache-backend.ts'
import { cachedValue } from '../cached-value.ts'
import { cacheKey } from './cache-key.ts'
import { openMemjs, type MemjsClient } from './memjs-client.ts'
import { resolveMemcachedOptions, type MemcachedOptions } from './options.ts'
import type { ResolvedMemcachedOptions } from './options.ts'

/** Longer lives are given to the server as a date. Seconds. */
const RELATIVE_LIFE_MAX = 30 * 24 * 60 * 60
/** Latest date that the server's 32 bits hold. Unix seconds. */
const DATE_MAX = 2 ** 32 - 1
/** Our own limit is that of the client and this much: its error tells more. Milliseconds. */
const GRACE_MS = 100
/** The server's answers that say no more than that it does not keep the value. */
const NOT_KEPT = /too large|out of memory/i

/**
 * A cache in Memcached servers that several processes share. They may evict at will.
 *
 * A value over the size limit is not kept, and what stood there goes; that is no error. A server
 * that hangs costs each call its timeout.
 */
export class MemcachedCacheBackend implements CacheBackend {
  readonly #env: Env
  readonly #options: ResolvedMemcachedOptions
  #client: Promise<MemjsClient> | undefined
  #connected = false
  #reachable = false

  constructor(options: MemcachedOptions, env: Env = nodeEnv()) {
    checkEnv(env)
    this.#env = env
    this.#options = resolveMemcachedOptions(options)
  }

  async get<T>(key: string): Promise<T | undefined> {
    const { value } = await this.#call('get', key, (client, name) => client.get(name))
    return value === null ? undefined : cachedValue<T>(value.toString())
  }

  /** A life is counted in seconds, rounded up. */
  async set<T>(key: string, value: T, ttlSeconds?: number): Promise<void> {
    await this.setText(key, encodeJson(value), ttlSeconds)
  }

  /** A command for each key, side by side: the keys may be on different servers. */
  async getTexts(keys: readonly string[]): Promise<readonly (string | undefined)[]> {
    const replies = keys.map((key) => this.#call('get', key, (client, name) => client.get(name)))
    return (await Promise.all(replies)).map(({ value }) => value?.toString())
  }

  async setText(key: string, text: string, ttlSeconds?: number): Promise<void> {
    if (ttlSeconds !== undefined && !(ttlSeconds > 0)) {
      throw invalid(`ttlSeconds must be above 0, got ${String(ttlSeconds)}`)
    }
    if (Buffer.byteLength(text) > this.#options.maxValueBytes) return await this.delete(key)
    const expires = this.#expires(ttlSeconds)
    try {
      await this.#call('set', key, (client, name) => client.set(name, text, { expires }))
    } catch (error) {
      if (!isStorageError(error, 'REJECTED')) throw error
      // An older value must not outlive the write of one that the server does not take.
      await this.delete(key)
    }
  }

  async delete(key: string): Promise<void> {
    await this.#call('delete', key, (client, name) => client.delete(name))
  }

  /** Rejects with a `StorageConnectionError` unless a server answers. */
  async connect(): Promise<void> {
    this.#connected = true
    try {
      await this.get('probe')
    } catch (error) {
      if (isStorageError(error, 'UNSUPPORTED')) throw error
      const text = `cannot connect to Memcached: ${messageOf(error)}`
      throw new StorageConnectionError('memcached', text, { cause: error })
    }
  }

  async disconnect(): Promise<void> {
    this.#connected = false
    this.#reachable = false
    const client = this.#client
    this.#client = undefined
    await closed(client)
  }

  isConnected(): boolean {
    return this.#connected && this.#reachable
  }

  getBackendType(): string {
    return 'memcached'
  }

  async #call<T>(
    operation: string,
    key: string,
    work: (client: MemjsClient, name: string) => Promise<T>,
  ): Promise<T> {
    checkText('key', key, KEY_BYTES_MAX)
    if (!this.#connected) throw new StorageError('CLOSED', 'the Memcached cache is not connected')
    const opening = (this.#client ??= openMemjs(this.#options))
    const { timeoutMs, keyPrefix } = this.#options
    const effect = operation === 'get' ? 'none' : 'unknown'
    const context = { effect, operation } as const
    try {
      const answer = work(await opening, cacheKey(keyPrefix, key))
      const limitMs = 2 * timeoutMs + GRACE_MS
      const result = await withDeadline(this.#env, limitMs, 'Memcached', answer, context)
      this.#reachable = true
      return result
    } catch (error) {
      if (isStorageError(error, 'UNSUPPORTED')) throw error
      const text = `Memcached: ${messageOf(error)}`
      if (NOT_KEPT.test(text)) throw new StorageError('REJECTED', text, { operation, cause: error })
      await this.#renew(opening)
      if (isStorageError(error)) throw error
      throw new StorageError('UNAVAILABLE', text, { ...context, cause: error })
    }
  }

  /** After a fault the client may take half an answer of before for the beginning of the next. */
  async #renew(opening: Promise<MemjsClient>): Promise<void> {
    if (this.#client === opening) {
      this.#client = undefined
      this.#reachable = false
    }
    await closed(opening)
  }

  #expires(ttlSeconds: number | undefined): number {
    if (ttlSeconds === undefined || ttlSeconds === Infinity) return 0
    const seconds = Math.ceil(ttlSeconds)
    if (seconds <= RELATIVE_LIFE_MAX) return seconds
    return Math.min(DATE_MAX, Math.floor(this.#env.now() / 1_000) + seconds)
  }
}

/** One that could not be opened has nothing to close, and its error was told by the call that opened it. */
async function closed(opening: Promise<MemjsClient> | undefined): Promise<void> {
  const client = await opening?.catch(() => undefined)
  client?.close()
}
