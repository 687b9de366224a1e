const FIRST_LENGTH = 64

/** Unsigned 32-bit numbers that grow by doubling; what was never set is 0. */
export class GrowableArray {
  #words = new Uint32Array(FIRST_LENGTH)

  get(index: number): number {
    return index < this.#words.length ? this.#words[index]! : 0
  }

  set(index: number, value: number): void {
    if (index >= this.#words.length) {
      let length = this.#words.length
      while (length <= index) length *= 2
      const grown = new Uint32Array(length)
      grown.set(this.#words)
      this.#words = grown
    }
    this.#words[index] = value
  }

  fill(value: number): void {
    this.#words.fill(value)
  }
}
