import type { Env } from '../../core/env.ts'

/** An entry as it was decoded once: whoever gets it shares it, and must not change it. */
export interface Entry<T> {
  /** Generation of all keys, and that of this one, as they were before the data was read. */
  readonly all: string
  readonly generation: string
  readonly data: T
}

interface Kept {
  readonly entry: Entry<unknown>
  readonly bytes: number
  readonly expiresMs: number
}

/** All entries together, as UTF-16. */
const BYTES_MAX = 64 * 1024 * 1024
/** What an entry costs besides its text and its data, roughly. */
const ENTRY_BYTES = 256

/** Decoded entries in this process, least recently used out first. A hit copies nothing. */
export class LocalEntries {
  readonly #env: Env
  readonly #maxEntries: number
  /** In order of use: the first is the least recently used one. */
  readonly #kept = new Map<string, Kept>()
  #bytes = 0

  constructor(env: Env, maxEntries: number) {
    this.#env = env
    this.#maxEntries = maxEntries
  }

  get<T>(name: string): Entry<T> | undefined {
    const kept = this.#kept.get(name)
    if (kept === undefined) return undefined
    this.#kept.delete(name)
    if (kept.expiresMs <= this.#env.monotonic()) {
      this.#bytes -= kept.bytes
      return undefined
    }
    this.#kept.set(name, kept)
    return kept.entry as Entry<T>
  }

  /** `units` is the length of the entry's text. */
  set(name: string, entry: Entry<unknown>, units: number, ttlSeconds: number): void {
    this.delete(name)
    // The text, and what readers keep decoded of it.
    const bytes = ENTRY_BYTES + 2 * (name.length + 2 * units)
    if (bytes > BYTES_MAX) return
    freeze(entry.data)
    const expiresMs = this.#env.monotonic() + ttlSeconds * 1_000
    this.#kept.set(name, { entry, bytes, expiresMs })
    this.#bytes += bytes
    while (this.#kept.size > this.#maxEntries || this.#bytes > BYTES_MAX) {
      this.delete(this.#kept.keys().next().value!)
    }
  }

  delete(name: string): void {
    const kept = this.#kept.get(name)
    if (kept === undefined) return
    this.#kept.delete(name)
    this.#bytes -= kept.bytes
  }
}

/** Readers share what is kept: none may change it for the others. */
function freeze(data: unknown): void {
  if (typeof data !== 'object' || data === null || Object.isFrozen(data)) return
  Object.freeze(data)
  for (const inner of Object.values(data)) freeze(inner)
}
