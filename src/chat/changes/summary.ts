import { STAMP_MIN, type Stamp } from '../../core/stamp.ts'
import { addSum } from './mark.ts'

/** Messages of one part. A `resync` is about whole parts, so they are not large. */
const PART_MESSAGES = 256
/** Parts of one conversation; beyond them neighbours become one. */
const PARTS_MAX = 1_000

/** Part of a conversation: how many messages it has, and the sum of their hashes. */
export interface Part {
  /** Position of its last message; the part begins behind the one before it. */
  readonly through: Stamp
  /** Undefined where it is not known. */
  readonly total: Total | undefined
  /** It was never known: what is found there is no change. */
  readonly isNew: boolean
}

export interface Total {
  readonly count: number
  readonly sum: number
}

const EMPTY: Total = { count: 0, sum: 0 }

/** What a follower knows of all messages up to a position, whatever their number. */
export class Summary {
  #parts: Part[]
  /** The last part takes no more: somebody is about to compare it. */
  #closed = false
  #version = 0

  constructor(parts: readonly Part[] = []) {
    this.#parts = [...parts]
  }

  get parts(): readonly Part[] {
    return this.#parts
  }

  /** Another one once parts became other parts, and not only grew. */
  get version(): number {
    return this.#version
  }

  /** Of all parts; undefined when one of them is not known. */
  get total(): Total | undefined {
    let total = EMPTY
    for (const part of this.#parts) {
      if (part.total === undefined) return undefined
      total = added(total, part.total)
    }
    return total
  }

  /** True when some part was never looked at. */
  get isNew(): boolean {
    return this.#parts.some(({ isNew }) => isNew)
  }

  /** Up to where it goes. */
  get through(): Stamp {
    return this.#parts.at(-1)?.through ?? STAMP_MIN
  }

  /** Goes on to a position behind its end, where a message with this hash stands, or none. */
  advance(position: Stamp, hash?: number): void {
    const more = hash === undefined ? EMPTY : { count: 1, sum: hash }
    const known = this.#parts.at(-1)?.total
    const isFull = this.#closed || known === undefined || known.count >= PART_MESSAGES
    if (!isFull) this.#parts.pop()
    this.#closed = false
    const total = isFull ? more : added(known, more)
    this.#parts.push({ through: position, total, isNew: false })
    this.#bound()
  }

  /** Later messages get a part of their own. */
  close(): void {
    this.#closed = true
  }

  /** What stood up to there is gone. Of a part that is cut nothing is known. */
  cut(through: Stamp): void {
    const first = this.#parts.findIndex((part) => part.through > through)
    const left = first < 0 ? [] : this.#parts.slice(first)
    const begin = this.#parts[first - 1]?.through ?? STAMP_MIN
    if (left.length > 0 && begin < through) left[0] = { ...left[0]!, total: undefined }
    this.#parts = left
    this.#version++
  }

  /** Puts these parts in place of those up to a position. */
  replace(parts: readonly Part[], through: Stamp): void {
    const later = this.#parts.filter((part) => part.through > through)
    this.#parts = [...parts, ...later]
    this.#version++
    this.#bound()
  }

  #bound(): void {
    while (this.#parts.length > PARTS_MAX) {
      this.#parts = joined(this.#parts)
      this.#version++
    }
  }
}

/** Compares messages, read from the first on, with what is known of them. */
export class Comparison {
  readonly #old: readonly Part[]
  readonly #found = new Summary()
  readonly #differing: { after: Stamp; through: Stamp }[] = []
  #at = 0
  #running: Total = EMPTY

  /** @param parts Closed ones. */
  constructor(parts: readonly Part[]) {
    this.#old = parts
  }

  /** Up to where it compares. */
  get through(): Stamp {
    return this.#old.at(-1)?.through ?? STAMP_MIN
  }

  /** The next message, by position. False: it is beyond what is compared. */
  add(position: Stamp, hash: number): boolean {
    while (this.#at < this.#old.length && position > this.#old[this.#at]!.through) this.#judge()
    if (this.#at === this.#old.length) return false
    this.#running = added(this.#running, { count: 1, sum: hash })
    this.#found.advance(position, hash)
    return true
  }

  /** The ranges that differ, and the parts as they were found. */
  end(): {
    readonly differing: readonly { readonly after: Stamp; readonly through: Stamp }[]
    readonly parts: readonly Part[]
  } {
    while (this.#at < this.#old.length) this.#judge()
    if (this.#found.through < this.through) this.#found.advance(this.through)
    return { differing: this.#differing, parts: this.#found.parts }
  }

  #judge(): void {
    const { total, isNew, through } = this.#old[this.#at]!
    const { count, sum } = this.#running
    const isSame = isNew || (total !== undefined && total.count === count && total.sum === sum)
    if (!isSame) {
      const after = this.#old[this.#at - 1]?.through ?? STAMP_MIN
      const last = this.#differing.at(-1)
      if (last?.through === after) last.through = through
      else this.#differing.push({ after, through })
    }
    this.#running = EMPTY
    this.#at++
  }
}

function added(a: Total, b: Total): Total {
  return { count: a.count + b.count, sum: addSum(a.sum, b.sum) }
}

/** Each two of them as one. */
function joined(parts: readonly Part[]): Part[] {
  const result: Part[] = []
  for (let i = 0; i < parts.length; i += 2) {
    const first = parts[i]!
    const second = parts[i + 1]
    if (second === undefined) result.push(first)
    else {
      const isKnown = first.total !== undefined && second.total !== undefined
      result.push({
        through: second.through,
        total: isKnown ? added(first.total, second.total) : undefined,
        isNew: first.isNew && second.isNew,
      })
    }
  }
  return result
}
