import { GrowableArray } from './growable-array.ts'

/** Numbers for keys, so that an entry holds four bytes instead of a string. Counts its users. */
export class KeyTable {
  readonly #ids = new Map<string, number>()
  readonly #names: string[] = []
  readonly #uses = new GrowableArray()
  readonly #free: number[] = []

  /** Numbers that were given out lie below this. */
  get end(): number {
    return this.#names.length
  }

  id(key: string): number | undefined {
    return this.#ids.get(key)
  }

  name(id: number): string {
    return this.#names[id]!
  }

  /** The key's number, with one more user. */
  use(key: string): number {
    let id = this.#ids.get(key)
    if (id === undefined) {
      id = this.#free.pop() ?? this.#names.length
      this.#names[id] = key
      this.#ids.set(key, id)
    }
    this.#uses.set(id, this.#uses.get(id) + 1)
    return id
  }

  /** One user less; the number is free for another key after the last one. */
  leave(id: number): void {
    const uses = this.#uses.get(id) - 1
    this.#uses.set(id, uses)
    if (uses > 0) return
    this.#ids.delete(this.#names[id]!)
    this.#names[id] = ''
    this.#free.push(id)
  }
}
