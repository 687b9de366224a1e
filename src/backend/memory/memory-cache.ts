import type { Env } from '../../core/env.ts'
import { invalid, StorageError } from '../../core/errors.ts'
import { decodeJson, encodeJson, type JsonText } from '../../core/json.ts'
import { checkText, KEY_BYTES_MAX, MIB } from '../../core/limits.ts'
import { nodeEnv } from '../../core/node-env.ts'
import { byDefault, bytes, checkEnv, integer, oneOf } from '../../core/option-kinds.ts'
import { Lru } from '../../core/lru.ts'
import { resolve, type OptionTable } from '../../core/options.ts'
import type { CacheBackend } from '../cache-backend.ts'

/** Bounds of the cache. */
export interface MemoryCacheOptions {
  /** Most entries; the least recently used one goes first. Default: 10,000. */
  readonly maxEntries?: number
  /** Most bytes of keys and values, as UTF-16. Default: 64 MiB. */
  readonly maxBytes?: number
}

export const MEMORY_CACHE_OPTIONS: OptionTable<
  MemoryCacheOptions & { readonly type?: 'in-memory' },
  keyof MemoryCacheOptions
> = {
  type: oneOf('in-memory'),
  maxEntries: byDefault(10_000, integer(1, Number.MAX_SAFE_INTEGER)),
  maxBytes: byDefault(64 * MIB, bytes(1, Number.MAX_SAFE_INTEGER)),
}

interface Entry {
  readonly text: JsonText
  /** On the monotonic clock: a wall clock that jumps neither ends nor prolongs a life. */
  readonly expiresMs: number
}

/** What an entry costs besides its key and value, roughly. */
const ENTRY_BYTES = 64

/**
 * A bounded cache in this process's memory: least recently used out first, with a time to live.
 * Values are kept as JSON text, so neither caller nor cache can change the other's copy.
 *
 * Other processes do not see it: what they write leaves stale entries here.
 */
export class MemoryCache implements CacheBackend {
  readonly #env: Env
  readonly #entries: Lru<Entry>
  #connected = false

  constructor(options: MemoryCacheOptions = {}, env: Env = nodeEnv()) {
    const { maxEntries, maxBytes } = resolve('', options, MEMORY_CACHE_OPTIONS)
    checkEnv(env)
    this.#env = env
    this.#entries = new Lru({ entriesMax: maxEntries, bytesMax: maxBytes })
  }

  /** Entries that are held now, expired ones that nobody has asked for included. */
  get size(): number {
    return this.#entries.size
  }

  async get<T>(key: string): Promise<T | undefined> {
    this.#check(key)
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    if (entry.expiresMs <= this.#env.monotonic()) {
      this.#entries.delete(key)
      return undefined
    }
    return decodeJson<T>(entry.text)
  }

  /** A value too large for the whole cache is not kept, and what stood there goes. */
  async set<T>(key: string, value: T, ttlSeconds?: number): Promise<void> {
    this.#check(key)
    if (ttlSeconds !== undefined && !(ttlSeconds > 0)) {
      throw invalid(`ttlSeconds must be above 0, got ${String(ttlSeconds)}`)
    }
    const text = encodeJson(value)
    const bytes = ENTRY_BYTES + 2 * (key.length + text.length)
    const lifeMs = ttlSeconds === undefined ? Infinity : ttlSeconds * 1000
    this.#entries.set(key, { text, expiresMs: this.#env.monotonic() + lifeMs }, bytes)
  }

  async delete(key: string): Promise<void> {
    this.#check(key)
    this.#entries.delete(key)
  }

  async connect(): Promise<void> {
    this.#connected = true
  }

  /** Forgets everything: it might be stale by the next `connect`. */
  async disconnect(): Promise<void> {
    this.#connected = false
    this.#entries.clear()
  }

  isConnected(): boolean {
    return this.#connected
  }

  getBackendType(): string {
    return 'in-memory'
  }

  #check(key: string): void {
    if (!this.#connected) throw new StorageError('CLOSED', 'the in-memory cache is not connected')
    checkText('key', key, KEY_BYTES_MAX)
  }
}
