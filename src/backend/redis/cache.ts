import type { Env } from '../../core/env.ts'
import { invalid, messageOf, StorageConnectionError, StorageError } from '../../core/errors.ts'
import { encodeJson } from '../../core/json.ts'
import { checkText, KEY_BYTES_MAX } from '../../core/limits.ts'
import { nodeEnv } from '../../core/node-env.ts'
import { byDefault, checkEnv } from '../../core/option-kinds.ts'
import type { CacheBackend } from '../cache-backend.ts'
import { cachedValue } from '../cached-value.ts'
import { withDeadline } from '../../core/time.ts'
import { openRouter } from './connection/open-router.ts'
import {
  REDIS_CONNECTION,
  resolveRedisConnection,
  type RedisConnectionOptions,
  type RedisConnectionTable,
  type ResolvedRedisConnection,
} from './connection/options.ts'
import { redisError } from './connection/redis-error.ts'
import type { RedisRouter } from './connection/router.ts'

/** A longer life is given as this one; the server adds it to its clock. Milliseconds. */
const LIFE_MS_MAX = 2 ** 52

/** Options of a Redis cache. Its defaults differ: commands 500 ms, connecting 1,000 ms. */
export interface RedisCacheOptions extends RedisConnectionOptions {
  /** What every key of the cache starts with. No braces. Default: `everthread-cache:`. */
  readonly keyPrefix?: string
}

/** A cache that is slow is of no use. */
export const REDIS_CACHE_OPTIONS: RedisConnectionTable = {
  ...REDIS_CONNECTION,
  keyPrefix: byDefault('everthread-cache:', REDIS_CONNECTION.keyPrefix),
  connectTimeoutMs: byDefault(1_000, REDIS_CONNECTION.connectTimeoutMs),
  commandTimeoutMs: byDefault(500, REDIS_CONNECTION.commandTimeoutMs),
}

/**
 * A cache in a Redis or Valkey server that several processes share. The server may evict at will.
 *
 * A server that hangs costs each call its timeout, one that is away costs nothing: calls fail at
 * once, and work again when it is back. What is there and not ours reads as absent.
 */
export class RedisCacheBackend implements CacheBackend {
  readonly #env: Env
  readonly #connection: ResolvedRedisConnection
  #router: RedisRouter | undefined

  constructor(options: RedisCacheOptions, env: Env = nodeEnv()) {
    checkEnv(env)
    this.#env = env
    this.#connection = resolveRedisConnection(options, REDIS_CACHE_OPTIONS)
  }

  async get<T>(key: string): Promise<T | undefined> {
    const reply = await this.#send('get', [key], ([name]) => ['GET', name!])
    return typeof reply === 'string' ? cachedValue<T>(reply) : undefined
  }

  /** A life is counted in milliseconds, rounded up. */
  async set<T>(key: string, value: T, ttlSeconds?: number): Promise<void> {
    await this.setText(key, encodeJson(value), ttlSeconds)
  }

  /** One command where one server has all keys; in a Cluster one for each. */
  async getTexts(keys: readonly string[]): Promise<readonly (string | undefined)[]> {
    if (keys.length === 0) return []
    const replies =
      this.#router?.isCluster === true
        ? await Promise.all(keys.map((key) => this.#send('get', [key], ([name]) => ['GET', name!])))
        : await this.#send('get', keys, (names) => ['MGET', ...names])
    const texts = Array.isArray(replies) ? (replies as readonly unknown[]) : []
    return keys.map((_, i) => {
      const text = texts[i]
      return typeof text === 'string' ? text : undefined
    })
  }

  async setText(key: string, text: string, ttlSeconds?: number): Promise<void> {
    if (ttlSeconds !== undefined && !(ttlSeconds > 0)) {
      throw invalid(`ttlSeconds must be above 0, got ${String(ttlSeconds)}`)
    }
    const life =
      ttlSeconds === undefined || ttlSeconds === Infinity ? [] : ['PX', millis(ttlSeconds)]
    await this.#send('set', [key], ([name]) => ['SET', name!, text, ...life])
  }

  async delete(key: string): Promise<void> {
    await this.#send('delete', [key], ([name]) => ['DEL', name!])
  }

  async connect(): Promise<void> {
    const router = (this.#router ??= openRouter(this.#env, this.#connection))
    try {
      await router.connect()
    } catch (error) {
      const text = `cannot connect to the Redis cache: ${messageOf(error)}`
      throw new StorageConnectionError('redis', text, { cause: error })
    }
  }

  async disconnect(): Promise<void> {
    const router = this.#router
    this.#router = undefined
    router?.close()
  }

  isConnected(): boolean {
    return this.#router?.ready === true
  }

  getBackendType(): string {
    return 'redis'
  }

  async #send(
    operation: string,
    keys: readonly string[],
    command: (names: readonly string[]) => readonly string[],
  ): Promise<unknown> {
    for (const key of keys) checkText('key', key, KEY_BYTES_MAX)
    const router = this.#router
    if (router === undefined) throw new StorageError('CLOSED', 'the Redis cache is not connected')
    const { keyPrefix, commandTimeoutMs } = this.#connection
    const names = keys.map((key) => `${keyPrefix}${key}`)
    const writes = operation !== 'get'
    const context = { effect: writes ? 'unknown' : 'none', operation } as const
    try {
      const answer = router.send(names[0]!, command(names))
      return await withDeadline(this.#env, commandTimeoutMs, 'Redis', answer, context)
    } catch (error) {
      throw redisError(error, operation, writes)
    }
  }
}

function millis(seconds: number): string {
  return String(Math.min(Math.ceil(seconds * 1_000), LIFE_MS_MAX))
}
