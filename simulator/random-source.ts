/** Seeded random numbers: everything that a simulation leaves to chance follows from one seed. */
export class RandomSource {
  #a: number
  #b: number
  #c: number
  #d: number

  /** `stream` keeps uses apart: more numbers drawn for one change nothing for the others. */
  constructor(seed: number, stream = '') {
    this.#a = seed >>> 0 || 1
    this.#b = 0x9e3779b9
    this.#c = hash(stream)
    this.#d = 0xb7e15162
    for (let i = 0; i < 12; i++) this.next()
  }

  /** Uniform in [0, 1). The generator is sfc32. */
  next(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#d) | 0
    this.#d = (this.#d + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0
    return (sum >>> 0) / 0x1_0000_0000
  }

  /** Uniform in [min, max). */
  between(min: number, max: number): number {
    return min + (max - min) * this.next()
  }

  /** An integer from min to max, both included. */
  integer(min: number, max: number): number {
    return min + Math.floor(this.next() * (max - min + 1))
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }

  pick<T>(choices: readonly T[]): T {
    return choices[Math.floor(this.next() * choices.length)]!
  }

  /** A key of the table, as often as its weight says. */
  weighted<Name extends string>(weights: Readonly<Record<Name, number>>): Name {
    const entries = Object.entries(weights) as [Name, number][]
    let left = this.next() * entries.reduce((sum, [, weight]) => sum + weight, 0)
    for (const [name, weight] of entries) {
      left -= weight
      if (left < 0) return name
    }
    return entries.at(-1)![0]
  }

  bytes(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => this.integer(0, 255))
  }
}

function hash(text: string): number {
  let value = 0x243f6a88
  for (const char of text) value = Math.imul(value ^ char.codePointAt(0)!, 0x01000193)
  return value
}
