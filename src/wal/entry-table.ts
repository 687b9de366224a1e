import type { Lsn } from './wal.ts'

/*
 * Entries in chunks of 32-bit words, without an object for each:
 *
 *   word 0   state of the primary (2 bits), of the backup (2), present (1), several keys (1),
 *            bytes (26)
 *        1   offset in its file
 *        2   number of its key
 *        3   milliseconds since the first entry of the chunk
 *      4–5   previous and next entry of this key that the primary lacks
 *      6–7   the same for the backup
 *
 * A chunk goes when none of its entries is present any more.
 */
const WORDS = 8
const CHUNK_ENTRIES = 512
const PRESENT = 1 << 4
const SEVERAL = 1 << 5
const FLAG_BITS = 6
const BOTH_ACKNOWLEDGED = 0b0101
const U32_MAX = 0xffffffff

export const PENDING = 0
export const ACKNOWLEDGED = 1
export const HELD = 2
export const QUARANTINED = 3
export type EntryState = typeof PENDING | typeof ACKNOWLEDGED | typeof HELD | typeof QUARANTINED

/** 0 is the primary, 1 the backup. */
export type PlaceIndex = 0 | 1

interface Chunk {
  readonly first: Lsn
  readonly words: Uint32Array
  readonly baseMs: number
  present: number
  /** Entries that the primary and the backup lack. */
  readonly lacking: [number, number]
}

/** What is known of each entry, found by its LSN. Entries are added in order, gaps are fine. */
export class EntryTable {
  readonly #chunks = new Map<number, Chunk>()
  #last: Chunk | undefined
  #head: Lsn
  #count = 0

  constructor(head: Lsn) {
    this.#head = head
  }

  /** The greatest LSN that was added. */
  get head(): Lsn {
    return this.#head
  }

  /** Entries that are present. */
  get count(): number {
    return this.#count
  }

  /** Leaves out LSNs that are not in this log: the next one is `head + 1`. */
  skipTo(head: Lsn): void {
    if (head > this.#head) this.#head = head
  }

  /** Both places count as having it, until `setState` says otherwise. */
  add(lsn: Lsn, bytes: number, offset: number, atMs: number): void {
    const number = chunkOf(lsn)
    let chunk = this.#chunks.get(number)
    if (chunk === undefined) {
      const words = new Uint32Array(CHUNK_ENTRIES * WORDS)
      const first = number * CHUNK_ENTRIES + 1
      chunk = { first, words, baseMs: atMs, present: 0, lacking: [0, 0] }
      this.#chunks.set(number, chunk)
    }
    const at = (lsn - chunk.first) * WORDS
    chunk.words[at] = (bytes << FLAG_BITS) | PRESENT | BOTH_ACKNOWLEDGED
    chunk.words[at + 1] = offset
    chunk.words[at + 3] = Math.min(U32_MAX, Math.max(0, atMs - chunk.baseMs))
    chunk.present++
    this.#count++
    this.#head = lsn
    this.#last = chunk
  }

  /** Forgets the entry. Its links and keys must be gone already. */
  drop(lsn: Lsn): void {
    const chunk = this.#chunk(lsn)
    if (chunk === undefined || !this.has(lsn)) return
    chunk.words.fill(0, (lsn - chunk.first) * WORDS, (lsn - chunk.first + 1) * WORDS)
    this.#count--
    if (--chunk.present > 0) return
    this.#chunks.delete(chunkOf(lsn))
    if (this.#last === chunk) this.#last = undefined
  }

  has(lsn: Lsn): boolean {
    return (this.#word(lsn, 0) & PRESENT) !== 0
  }

  /** What is not here any more was acknowledged by both places. */
  state(lsn: Lsn, place: PlaceIndex): EntryState {
    const flags = this.#word(lsn, 0)
    if ((flags & PRESENT) === 0) return ACKNOWLEDGED
    return ((flags >>> (place * 2)) & 3) as EntryState
  }

  setState(lsn: Lsn, place: PlaceIndex, state: EntryState): void {
    const chunk = this.#chunk(lsn)!
    const at = (lsn - chunk.first) * WORDS
    const word = chunk.words[at]!
    const shift = place * 2
    const lacked = ((word >>> shift) & 3) !== ACKNOWLEDGED
    const lacks = state !== ACKNOWLEDGED
    if (lacks !== lacked) chunk.lacking[place] += lacks ? 1 : -1
    chunk.words[at] = (word & ~(3 << shift)) | (state << shift)
  }

  bytes(lsn: Lsn): number {
    return this.#word(lsn, 0) >>> FLAG_BITS
  }

  offset(lsn: Lsn): number {
    return this.#word(lsn, 1)
  }

  move(lsn: Lsn, bytes: number, offset: number): void {
    const flags = this.#word(lsn, 0) & ((1 << FLAG_BITS) - 1)
    this.#set(lsn, 0, (bytes << FLAG_BITS) | flags)
    this.#set(lsn, 1, offset)
  }

  hasSeveralKeys(lsn: Lsn): boolean {
    return (this.#word(lsn, 0) & SEVERAL) !== 0
  }

  markSeveralKeys(lsn: Lsn): void {
    this.#set(lsn, 0, this.#word(lsn, 0) | SEVERAL)
  }

  key(lsn: Lsn): number {
    return this.#word(lsn, 2)
  }

  setKey(lsn: Lsn, key: number): void {
    this.#set(lsn, 2, key)
  }

  atMs(lsn: Lsn): number {
    return (this.#chunk(lsn)?.baseMs ?? 0) + this.#word(lsn, 3)
  }

  /** The neighbour in the chain of its key, or 0. */
  link(lsn: Lsn, place: PlaceIndex, side: 'previous' | 'next'): Lsn {
    return this.expand(this.#word(lsn, linkWord(place, side)))
  }

  setLink(lsn: Lsn, place: PlaceIndex, side: 'previous' | 'next', to: Lsn): void {
    this.#set(lsn, linkWord(place, side), shorten(to))
  }

  setLinks(lsn: Lsn, place: PlaceIndex, previous: Lsn, next: Lsn): void {
    const chunk = this.#chunk(lsn)!
    const at = (lsn - chunk.first) * WORDS + 4 + place * 2
    chunk.words[at] = shorten(previous)
    chunk.words[at + 1] = shorten(next)
  }

  /** The LSN that `shorten` made 32 bits of: the greatest one up to `head` that fits. */
  expand(short: number): Lsn {
    if (short === 0) return 0
    return this.#head - (((this.#head % U32_MAX) - (short - 1) + U32_MAX) % U32_MAX)
  }

  /** The first entry after `lsn` that the place lacks; `head + 1` when there is none. */
  nextLacking(lsn: Lsn, place: PlaceIndex): Lsn {
    let next = lsn + 1
    while (next <= this.#head) {
      const chunk = this.#chunk(next)
      if (chunk === undefined || chunk.lacking[place] === 0) {
        next = (chunkOf(next) + 1) * CHUNK_ENTRIES + 1
      } else if (this.state(next, place) === ACKNOWLEDGED) next++
      else return next
    }
    return this.#head + 1
  }

  /** Runs of entries that the place lacks, in order. Neighbours may come as two runs. */
  *lackingRuns(place: PlaceIndex): Iterable<readonly [first: Lsn, last: Lsn]> {
    for (const chunk of this.#chunks.values()) {
      const { first, lacking } = chunk
      if (lacking[place] === CHUNK_ENTRIES) yield [first, first + CHUNK_ENTRIES - 1]
      else if (lacking[place] > 0) {
        for (let lsn = first; lsn < first + CHUNK_ENTRIES; lsn++) {
          if (this.state(lsn, place) !== ACKNOWLEDGED) yield [lsn, lsn]
        }
      }
    }
  }

  /** Entries that are present, in order. They may be dropped on the way. */
  *lsns(): Iterable<Lsn> {
    for (const chunk of this.#chunks.values()) {
      for (let i = 0; i < CHUNK_ENTRIES; i++) {
        if ((chunk.words[i * WORDS]! & PRESENT) !== 0) yield chunk.first + i
      }
    }
  }

  #word(lsn: Lsn, word: number): number {
    const chunk = this.#chunk(lsn)
    return chunk === undefined ? 0 : chunk.words[(lsn - chunk.first) * WORDS + word]!
  }

  #set(lsn: Lsn, word: number, value: number): void {
    const chunk = this.#chunk(lsn)!
    chunk.words[(lsn - chunk.first) * WORDS + word] = value
  }

  #chunk(lsn: Lsn): Chunk | undefined {
    const last = this.#last
    if (last !== undefined && lsn >= last.first && lsn < last.first + CHUNK_ENTRIES) return last
    const chunk = this.#chunks.get(chunkOf(lsn))
    if (chunk !== undefined) this.#last = chunk
    return chunk
  }
}

/** An LSN in 32 bits; 0 stays 0. Unique among fewer than 2^32 - 1 entries in a row. */
export function shorten(lsn: Lsn): number {
  return lsn === 0 ? 0 : (lsn % U32_MAX) + 1
}

function chunkOf(lsn: Lsn): number {
  return Math.floor((lsn - 1) / CHUNK_ENTRIES)
}

function linkWord(place: PlaceIndex, side: 'previous' | 'next'): number {
  return 4 + place * 2 + (side === 'next' ? 1 : 0)
}
