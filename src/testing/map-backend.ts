import type { DatabaseBackend } from '../backend/database-backend.ts'
import { compareText } from '../core/text.ts'

/**
 * The plainest backend that a user could write: a `Map` of JSON texts. It has no stamps and no
 * groups; `plainAdapter` adds them. Each call takes a turn of the event loop, as a server would.
 */
export class MapBackend implements DatabaseBackend {
  /** What is stored; share it between two instances to see what a restart finds. */
  readonly documents: Map<string, string>
  /** Calls so far, by name. */
  readonly calls: { get: number; set: number } = { get: 0, set: 0 }
  /** Runs before each write takes effect and may throw, or return a promise that is waited for. */
  beforeSet: (key: string) => void | Promise<void> = () => {}
  #connected = false

  constructor(documents: Map<string, string> = new Map()) {
    this.documents = documents
  }

  async get<T>(key: string): Promise<T | undefined> {
    this.calls.get++
    await this.#turn()
    const text = this.documents.get(key)
    return text === undefined ? undefined : (JSON.parse(text) as T)
  }

  async set<T>(key: string, value: T): Promise<void> {
    this.calls.set++
    const text = JSON.stringify(value)
    await this.#turn()
    await this.beforeSet(key)
    this.documents.set(key, text)
  }

  async delete(key: string): Promise<void> {
    await this.#turn()
    this.documents.delete(key)
  }

  async list(prefix: string): Promise<readonly string[]> {
    await this.#turn()
    return [...this.documents.keys()].filter((key) => key.startsWith(prefix)).sort(compareText)
  }

  /** The adapter keeps lists in documents of its own. */
  append(): Promise<void> {
    return Promise.reject(new Error('append of a plain backend is not used'))
  }

  /** See `append`. */
  getRange<T>(): Promise<readonly T[]> {
    return Promise.reject(new Error('getRange of a plain backend is not used'))
  }

  async connect(): Promise<void> {
    this.#connected = true
  }

  async disconnect(): Promise<void> {
    this.#connected = false
  }

  isConnected(): boolean {
    return this.#connected
  }

  getBackendType(): string {
    return 'map'
  }

  async #turn(): Promise<void> {
    await new Promise<void>((resolve) => {
      setImmediate(resolve)
    })
    if (!this.#connected) throw new Error('not connected')
  }
}
