import type { CacheBackend } from '../backend/cache-backend.ts'
import { getTexts, setText } from '../backend/cache-texts.ts'
import type { Slot } from './slot.ts'

/** The cache of a `StorageManager`, there from the start; see `ManagedDatabase`. */
export class ManagedCache implements CacheBackend {
  readonly #slot: Slot<CacheBackend>

  constructor(slot: Slot<CacheBackend>) {
    this.#slot = slot
  }

  async get<T>(key: string): Promise<T | undefined> {
    return await this.#slot.current().get<T>(key)
  }

  async set<T>(key: string, value: T, ttlSeconds?: number): Promise<void> {
    await this.#slot.current().set(key, value, ttlSeconds)
  }

  async getTexts(keys: readonly string[]): Promise<readonly (string | undefined)[]> {
    return await getTexts(this.#slot.current(), keys)
  }

  async setText(key: string, text: string, ttlSeconds?: number): Promise<void> {
    await setText(this.#slot.current(), key, text, ttlSeconds)
  }

  async delete(key: string): Promise<void> {
    await this.#slot.current().delete(key)
  }

  connect(): Promise<void> {
    return this.#slot.connect()
  }

  disconnect(): Promise<void> {
    return this.#slot.disconnect()
  }

  isConnected(): boolean {
    return this.#slot.isConnected()
  }

  getBackendType(): string {
    return this.#slot.getBackendType()
  }
}
