import type { CacheBackend } from '../src/backend/cache-backend.ts'
import type { MemoryCache } from '../src/backend/memory/memory-cache.ts'
import { remoteCall, type Caller } from './remote-call.ts'
import type { SimulatedServer } from './simulated-server.ts'

const TIMEOUT_MS = 5_000

/** One cache server that all processes share, as one life of a process sees it. */
export class RemoteCache implements CacheBackend {
  readonly #server: SimulatedServer<MemoryCache>
  readonly #caller: Caller
  #connected = false

  constructor(server: SimulatedServer<MemoryCache>, caller: Caller) {
    this.#server = server
    this.#caller = caller
  }

  getBackendType(): string {
    return 'simulated'
  }

  async connect(): Promise<void> {
    await this.#call('connect', [], async () => {})
    this.#connected = true
  }

  async disconnect(): Promise<void> {
    this.#connected = false
  }

  isConnected(): boolean {
    return this.#connected
  }

  async get<T>(key: string): Promise<T | undefined> {
    return await this.#call('get', [key], (cache) => cache.get<T>(key))
  }

  async set<T>(key: string, value: T, ttlSeconds?: number): Promise<void> {
    await this.#call('set', [key, value], (cache) => cache.set(key, value, ttlSeconds))
  }

  async delete(key: string): Promise<void> {
    await this.#call('delete', [key], (cache) => cache.delete(key))
  }

  async #call<T>(
    name: string,
    detail: readonly unknown[],
    run: (cache: MemoryCache) => Promise<T>,
  ): Promise<T> {
    return await remoteCall(
      this.#server,
      this.#caller,
      { name, detail, timeoutMs: TIMEOUT_MS },
      run,
    )
  }
}
