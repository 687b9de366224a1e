import { DATABASE_PLACES, type DatabasePlace, type Operation } from '../../core/operation.ts'
import { maxStamp, type Stamp } from '../../core/stamp.ts'

/** Entries that a process leaves alone for this long may be taken over. Milliseconds. */
export const LEASE_MS = 2_000
/** A writer that was silent for this long is dead. Milliseconds. */
const DEAD_MS = 15_000

/** An entry as a process gets it. */
export interface SharedEntry {
  readonly number: number
  readonly operations: readonly Operation[]
}

interface Kept extends SharedEntry {
  readonly group: string
  /** The places that lack it, and who is to bring it there. */
  readonly lacking: Map<DatabasePlace, { consumer: string; touchedMs: number }>
  readonly refused: Set<DatabasePlace>
}

interface Writer {
  seenMs: number
  ended: boolean
}

export type AppendAnswer =
  | { readonly kind: 'appended'; readonly number: number; readonly isDone: boolean }
  | { readonly kind: 'behind'; readonly stamps: ReadonlyMap<string, Stamp> }
  | { readonly kind: 'full' }

/**
 * What the server of a shared log keeps, and what each of its scripts does: the semantics of the log
 * in Redis streams, in one partition, on a server that loses nothing.
 */
export class SharedLog {
  isFull = false
  readonly #now: () => number
  readonly #entries = new Map<number, Kept>()
  readonly #groups = new Map<string, number>()
  readonly #last = new Map<string, Stamp>()
  readonly #writers = new Map<string, Writer>()
  #head: Stamp | undefined
  #next = 1

  constructor(now: () => number) {
    this.#now = now
  }

  get head(): Stamp | undefined {
    return this.#head
  }

  /** Entries that some place lacks. */
  get size(): number {
    return this.#entries.size
  }

  /** Notes that a writer lives, or has ended, and tells who does not live any more. */
  say(writer: string, how: 'alive' | 'end'): readonly string[] {
    const now = this.#now()
    this.#writers.set(writer, { seenMs: now, ended: how === 'end' })
    return [...this.#writers]
      .filter(([name, { seenMs, ended }]) => name !== writer && (ended || seenMs + DEAD_MS < now))
      .map(([name]) => name)
  }

  append(
    group: string,
    operations: readonly Operation[],
    { fresh, consumer }: { readonly fresh: boolean; readonly consumer: string },
  ): AppendAnswer {
    const known = fresh ? this.#groups.get(group) : undefined
    if (known !== undefined) {
      return { kind: 'appended', number: known, isDone: !this.#entries.has(known) }
    }
    if (fresh) {
      const behind = operations.filter(({ key, stamp }) => stamp <= (this.#last.get(key) ?? ''))
      const stamps = new Map(behind.map(({ key }) => [key, this.#last.get(key)!]))
      if (stamps.size > 0) return { kind: 'behind', stamps }
    }
    if (this.isFull) return { kind: 'full' }
    const number = this.#next++
    const owner = (): { consumer: string; touchedMs: number } => ({
      consumer,
      touchedMs: this.#now(),
    })
    const lacking = new Map(DATABASE_PLACES.map((place) => [place, owner()]))
    this.#entries.set(number, { number, operations, group, lacking, refused: new Set() })
    this.#groups.set(group, number)
    for (const { key, stamp } of operations) {
      this.#last.set(key, maxStamp(this.#last.get(key), stamp)!)
      this.#head = maxStamp(this.#head, stamp)
    }
    return { kind: 'appended', number, isDone: false }
  }

  /** The place has these entries. */
  acknowledge(place: DatabasePlace, numbers: readonly number[]): void {
    for (const number of numbers) {
      const entry = this.#entries.get(number)
      entry?.lacking.delete(place)
      if (entry?.lacking.size === 0) this.#entries.delete(number)
    }
  }

  refuse(place: DatabasePlace, number: number): void {
    this.#entries.get(number)?.refused.add(place)
  }

  /** Everything that is kept is pending at the place again. */
  resend(place: DatabasePlace, consumer: string): void {
    for (const { lacking } of this.#entries.values()) {
      if (!lacking.has(place)) lacking.set(place, { consumer, touchedMs: this.#now() })
    }
  }

  /** Operations on the key that the place lacks, whoever appended them. */
  pending(place: DatabasePlace, key: string): readonly SharedEntry[] {
    return [...this.#entries.values()]
      .filter(({ lacking }) => lacking.has(place))
      .map(({ number, operations }) => ({
        number,
        operations: operations.filter((operation) => operation.key === key),
      }))
      .filter(({ operations }) => operations.length > 0)
  }

  pendingKeys(place: DatabasePlace): readonly string[] {
    const lacking = [...this.#entries.values()].filter((entry) => entry.lacking.has(place))
    return [...new Set(lacking.flatMap(({ operations }) => operations.map(({ key }) => key)))]
  }

  /** Which of these entries are the consumer's to bring; those that nobody needs to are `done`. */
  owned(
    place: DatabasePlace,
    numbers: readonly number[],
    consumer: string,
  ): { readonly own: readonly number[]; readonly done: readonly number[] } {
    const own: number[] = []
    const done: number[] = []
    for (const number of numbers) {
      const owner = this.#entries.get(number)?.lacking.get(place)
      if (owner === undefined) done.push(number)
      else if (owner.consumer === consumer) {
        owner.touchedMs = this.#now()
        own.push(number)
      }
    }
    return { own, done }
  }

  /** Takes over what was left alone for too long, or by writers that have ended. */
  claim(
    place: DatabasePlace,
    consumer: string,
    ended: readonly string[],
    limit: number,
  ): readonly SharedEntry[] {
    const now = this.#now()
    const taken: SharedEntry[] = []
    for (const { number, operations, lacking, refused } of this.#entries.values()) {
      const owner = lacking.get(place)
      if (owner === undefined || refused.has(place)) continue
      const isLeft = owner.touchedMs + LEASE_MS <= now
      if (!isLeft && !ended.includes(writerOf(owner.consumer))) continue
      if (taken.length === limit) break
      lacking.set(place, { consumer, touchedMs: now })
      taken.push({ number, operations })
    }
    return taken
  }
}

function writerOf(consumer: string): string {
  return consumer.slice(0, consumer.indexOf('/'))
}
