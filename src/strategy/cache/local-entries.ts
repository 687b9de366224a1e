import type { Env } from '../../core/env.ts'
import { Lru } from '../../core/lru.ts'

/** An entry as it was decoded once: whoever gets it shares it, and must not change it. */
export interface Entry<T> {
  /** Tag of all keys, and that of this one, as they were before the data was read. */
  readonly all: string
  readonly tag: string
  readonly data: T
}

interface Kept {
  readonly entry: Entry<unknown>
  readonly expiresMs: number
}

/** All entries together, as UTF-16. */
const BYTES_MAX = 64 * 1024 * 1024
/** What an entry costs besides its text and its data, roughly. */
const ENTRY_BYTES = 256

/** Decoded entries in this process, least recently used out first. A hit copies nothing. */
export class LocalEntries {
  readonly #env: Env
  readonly #kept: Lru<Kept>

  constructor(env: Env, maxEntries: number) {
    this.#env = env
    this.#kept = new Lru({ entriesMax: maxEntries, bytesMax: BYTES_MAX })
  }

  get<T>(name: string): Entry<T> | undefined {
    const kept = this.#kept.get(name)
    if (kept === undefined) return undefined
    if (kept.expiresMs > this.#env.monotonic()) return kept.entry as Entry<T>
    this.#kept.delete(name)
    return undefined
  }

  /** `units` is the length of the entry's text. */
  set(name: string, entry: Entry<unknown>, units: number, ttlSeconds: number): void {
    // The text, and what readers keep decoded of it.
    const bytes = ENTRY_BYTES + 2 * (name.length + 2 * units)
    freeze(entry.data)
    this.#kept.set(name, { entry, expiresMs: this.#env.monotonic() + ttlSeconds * 1_000 }, bytes)
  }

  delete(name: string): void {
    this.#kept.delete(name)
  }
}

/** Readers share what is kept: none may change it for the others. */
function freeze(data: unknown): void {
  if (typeof data !== 'object' || data === null || Object.isFrozen(data)) return
  Object.freeze(data)
  for (const inner of Object.values(data)) freeze(inner)
}
