import type { Item } from '../../core/merge.ts'
import { STAMP_MIN, stampMs, type Stamp } from '../../core/stamp.ts'
import { streamItemOf, type Chunk, type Claim, type StreamMark } from './stream-items.ts'

interface Known {
  readonly chunk: Chunk
  readonly position: Stamp
}

/**
 * Puts the chunks of a stream into their order, whatever order they are read in. Behind a gap nothing is
 * shown: what is missing may be at a place that is away, and comes later.
 */
export class Replay {
  readonly #chunks = new Map<string, Map<number, Known>>()
  readonly #claims = new Map<number, Claim>()
  #writer: string
  #epoch = 0
  #count = 0
  #taken = 0
  #until: number
  #position: Stamp = STAMP_MIN

  /** Of the stream of a message that stands there. */
  constructor(mark: StreamMark, position: Stamp) {
    this.#writer = mark.w
    this.#until = stampMs(position) + mark.l
  }

  /** The number of the writer that writes now, or wrote last; 0 is the first one. */
  get epoch(): number {
    return this.#epoch
  }

  /** Chunks of that writer that came in their order. */
  get count(): number {
    return this.#count
  }

  /** Chunks of all writers that came in their order. */
  get taken(): number {
    return this.#taken
  }

  /** That writer may be taken for alive until then. Unix milliseconds. */
  get until(): number {
    let until = this.#until
    let latest = this.#count - 1
    // One behind a gap says how its writer is, too.
    for (const [n, { chunk }] of this.#chunks.get(this.#writer) ?? []) {
      if (n < latest) continue
      latest = n
      until = chunk.u
    }
    return until
  }

  /** Chunks were read behind one that is missing. */
  get hasGap(): boolean {
    const known = this.#chunks.get(this.#writer)
    return known !== undefined && [...known.keys()].some((n) => n >= this.#count)
  }

  /** All items up to this position were taken in their order. */
  get position(): Stamp {
    return this.#position
  }

  /** Takes items in, in any order, again or not; returns the chunks that are next. */
  take(items: readonly Item[]): readonly Chunk[] {
    for (const item of items) this.#add(item)
    const next: Chunk[] = []
    for (;;) {
      const end = this.#claims.get(this.#epoch + 1)
      const known = this.#chunks.get(this.#writer)?.get(this.#count)
      if (known !== undefined && (end === undefined || this.#count < end.n)) {
        next.push(known.chunk)
        this.#count++
        this.#taken++
        this.#position = known.position
      } else if (end !== undefined && this.#count >= end.n) {
        this.#epoch++
        this.#writer = end.w
        this.#until = end.u
        this.#count = 0
      } else {
        return next
      }
    }
  }

  #add(item: Item): void {
    const found = streamItemOf(item)
    if (found.kind === 'claim') {
      this.#claims.set(found.epoch, found.claim)
      return
    }
    const { chunk } = found
    let ofWriter = this.#chunks.get(chunk.w)
    if (ofWriter === undefined) this.#chunks.set(chunk.w, (ofWriter = new Map()))
    // Sent again, it is the same.
    if (!ofWriter.has(chunk.n)) ofWriter.set(chunk.n, { chunk, position: item.position })
  }
}
