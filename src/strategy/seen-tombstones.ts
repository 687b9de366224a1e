import { remember } from '../core/lru.ts'
import type { Stamp } from '../core/stamp.ts'

/** Keys whose tombstone is remembered; the least recently raised one is forgotten first. */
const KEYS_MAX = 50_000

/**
 * The greatest `deletedThrough` that this process has seen of each key. A read that is served by a
 * place which lacks a clear this process knows of still leaves out what the clear removed.
 */
export class SeenTombstones {
  readonly #stamps = new Map<string, Stamp>()

  see(key: string, stamp: Stamp): void {
    const seen = this.#stamps.get(key)
    if (seen !== undefined && seen >= stamp) return
    remember(this.#stamps, key, stamp, KEYS_MAX)
  }

  get(key: string): Stamp | undefined {
    return this.#stamps.get(key)
  }
}
