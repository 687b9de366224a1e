import type { CacheBackend } from '../backend/cache-backend.ts'
import { getTexts, setText } from '../backend/cache-texts.ts'
import { KeepAlive } from '../core/keep-alive.ts'
import { ManagedEngine, type ManagedEngineOptions } from './managed-engine.ts'

/** The cache of a `StorageManager`, there from the start; see `ManagedDatabase`. */
export class ManagedCache extends ManagedEngine<CacheBackend> implements CacheBackend {
  readonly #alive: KeepAlive

  constructor(options: ManagedEngineOptions<CacheBackend>) {
    super(options)
    this.#alive = KeepAlive.of(options.env)
  }

  async get<T>(key: string): Promise<T | undefined> {
    return await this.#call((engine) => engine.get<T>(key))
  }

  async set<T>(key: string, value: T, ttlSeconds?: number): Promise<void> {
    await this.#call((engine) => engine.set(key, value, ttlSeconds))
  }

  async getTexts(keys: readonly string[]): Promise<readonly (string | undefined)[]> {
    return await this.#call((engine) => getTexts(engine, keys))
  }

  async setText(key: string, text: string, ttlSeconds?: number): Promise<void> {
    await this.#call((engine) => setText(engine, key, text, ttlSeconds))
  }

  async delete(key: string): Promise<void> {
    await this.#call((engine) => engine.delete(key))
  }

  async #call<T>(run: (engine: CacheBackend) => Promise<T>): Promise<T> {
    const engine = this.current()
    this.#alive.begin()
    try {
      return await run(engine)
    } finally {
      this.#alive.end()
    }
  }
}
