interface Held<Value> {
  readonly value: Value
  readonly bytes: number
}

/** How much an `Lru` holds. */
export interface LruLimits {
  /** Default: no limit. */
  readonly entriesMax?: number
  readonly bytesMax: number
}

/** Holds what was used last, up to so many entries and bytes; the least recently used one goes first. */
export class Lru<Value> {
  /** In order of use: the first is the least recently used one. */
  readonly #entries = new Map<string, Held<Value>>()
  readonly #entriesMax: number
  readonly #bytesMax: number
  #bytes = 0

  constructor({ entriesMax = Infinity, bytesMax }: LruLimits) {
    this.#entriesMax = entriesMax
    this.#bytesMax = bytesMax
  }

  get size(): number {
    return this.#entries.size
  }

  get(key: string): Value | undefined {
    const held = this.#entries.get(key)
    if (held === undefined) return undefined
    this.#entries.delete(key)
    this.#entries.set(key, held)
    return held.value
  }

  /** What is too large for all of it is not held, and what stood there goes. */
  set(key: string, value: Value, bytes: number): void {
    this.delete(key)
    if (bytes > this.#bytesMax) return
    this.#entries.set(key, { value, bytes })
    this.#bytes += bytes
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#entriesMax && this.#bytes <= this.#bytesMax) return
      this.delete(oldest)
    }
  }

  delete(key: string): void {
    const held = this.#entries.get(key)
    if (held === undefined) return
    this.#entries.delete(key)
    this.#bytes -= held.bytes
  }

  clear(): void {
    this.#entries.clear()
    this.#bytes = 0
  }
}

/** Sets an entry, and forgets the one that was set longest ago when there are too many. */
export function remember<Key, Value>(
  map: Map<Key, Value>,
  key: Key,
  value: Value,
  sizeMax: number,
): void {
  map.delete(key)
  map.set(key, value)
  if (map.size > sizeMax) map.delete(map.keys().next().value!)
}
