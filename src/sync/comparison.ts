/*
 * Makes two databases equal. Digests of ranges of position time are compared; ranges that differ
 * are cut until they are small, and only then rows are exchanged. What one place lacks is merged
 * into it as ordinary operations, so this may run beside writes and be repeated at will.
 */
import type { StoredOperation } from '../backend/replica-backend.ts'
import { nameIn, type BucketDigest, type StampRange } from '../core/digest.ts'
import { rangeStamp, operationBytes, type Operation } from '../core/operation.ts'
import type { DatabasePlace } from '../core/places.ts'
import { stampMs, type Stamp } from '../core/stamp.ts'
import { damagedRow, isDamaged, Merger, readRows, subjectOf, type Work } from './rows.ts'

/** Buckets that everything is cut into. */
const BUCKETS = 256
/** Neighbours that all differ are cut together: one digest for so many, at most. */
const NEIGHBOURS_MAX = 16
/** Buckets that a range is cut into which has rows that differ, and how many rows each should have. */
const CUT_BUCKETS_MAX = 1_024
const CUT_BUCKETS_MIN = 64
const CUT_ROWS = 8
/** A range with at most so many rows is exchanged instead of being cut further. */
const EXCHANGE_ROWS_MAX = 128
/** The same where most of what there is differs: cutting would find no equal parts. */
const EXCHANGE_ROWS_DENSE = 4_096
/** Time of one digest: of everything, and of a part that is known to have few rows. */
const DIGEST_TIMEOUT_MS = 120_000
const SMALL_TIMEOUT_MS = 10_000
const SMALL_ROWS = 100_000
/** Bytes of rows that an exchange keeps; beyond, it reads those that it needs once more. */
const EXCHANGE_BYTES_MAX = 16 * 1024 * 1024

export interface ComparisonOptions {
  /** False compares only. */
  readonly copy: boolean
  /** Copies into this place only. */
  readonly into?: DatabasePlace | undefined
  /** Told after each part, in the order of time, that everything below this place is done. */
  readonly onReached?: ((stamp: Stamp) => void) | undefined
}

/** The names of the rows of one place in a range, and the rows while there is room for them. */
interface Side {
  readonly place: DatabasePlace
  readonly rows: Map<string, StoredOperation | undefined>
  readonly subjects: Map<string, Operation | undefined>
}

/** One comparison of ranges. Rejects when either place fails; what was copied stays. */
export class Comparison {
  readonly #work: Work
  readonly #options: ComparisonOptions

  constructor(work: Work, options: ComparisonOptions) {
    this.#work = work
    this.#options = options
  }

  async run(ranges: readonly StampRange[]): Promise<void> {
    const pairs: (readonly [BucketDigest, BucketDigest])[] = []
    for (const range of ranges) pairs.push(...(await this.#digest(range, BUCKETS)))
    for (const [primary] of pairs) this.#work.tally.total += primary.count
    await this.#descend(pairs)
  }

  /** The buckets of a range, of primary and backup. */
  async #digest(
    range: StampRange,
    buckets: number,
    timeoutMs: number = DIGEST_TIMEOUT_MS,
  ): Promise<(readonly [BucketDigest, BucketDigest])[]> {
    const { context, pacer } = this.#work
    pacer.check()
    const startedAt = context.env.monotonic()
    const ask = async (place: DatabasePlace): Promise<readonly BucketDigest[]> =>
      await context.places[place].longCall('digest', timeoutMs, (backend, options) =>
        backend.digest(range, buckets, options),
      )
    const [primary, backup] = await Promise.all([ask('primary'), ask('backup')])
    await pacer.digested(context.env.monotonic() - startedAt)
    return primary.map((bucket, i) => [bucket, backup[i]!] as const)
  }

  async #descend(pairs: readonly (readonly [BucketDigest, BucketDigest])[]): Promise<void> {
    const { tally } = this.#work
    const filled = pairs.filter(([a, b]) => a.count + b.count > 0)
    const differ = filled.filter(([a, b]) => !isSame(a, b))
    const isDense = differ.length * 2 > filled.length && differ.length > 1
    const rowsMax = isDense ? EXCHANGE_ROWS_DENSE : EXCHANGE_ROWS_MAX
    const isCut = ([a, b]: readonly [BucketDigest, BucketDigest]): boolean =>
      !isSame(a, b) &&
      a.count > 0 &&
      b.count > 0 &&
      isCuttable(a) &&
      Math.max(a.count, b.count) > rowsMax
    for (let i = 0; i < pairs.length; i++) {
      const [primary, backup] = pairs[i]!
      if (isCut(pairs[i]!)) {
        const first = i
        while (i + 1 < pairs.length && i + 1 - first < NEIGHBOURS_MAX && isCut(pairs[i + 1]!)) i++
        await this.#cut(pairs.slice(first, i + 1))
      } else if (isSame(primary, backup)) {
        tally.compared += primary.count
      } else if (primary.count === 0 || backup.count === 0) {
        await this.#copyAll(primary, primary.count === 0 ? 'backup' : 'primary')
      } else {
        tally.compared += primary.count
        await this.#exchange(primary)
      }
      this.#options.onReached?.(pairs[i]![0].to)
    }
  }

  /** Goes down into neighbours. Each is a small part of what was cut before, so this ends. */
  async #cut(pairs: readonly (readonly [BucketDigest, BucketDigest])[]): Promise<void> {
    const range = { from: pairs[0]![0].from, to: pairs.at(-1)![0].to }
    const rows = pairs.reduce((sum, [a, b]) => sum + Math.max(a.count, b.count), 0)
    const wanted = Math.ceil(rows / CUT_ROWS)
    const buckets = Math.min(CUT_BUCKETS_MAX, Math.max(CUT_BUCKETS_MIN, wanted))
    const timeoutMs = rows <= SMALL_ROWS ? SMALL_TIMEOUT_MS : DIGEST_TIMEOUT_MS
    await this.#descend(await this.#digest(range, buckets, timeoutMs))
  }

  /** One of the two has nothing in the range: all of the other's rows are missing there. */
  async #copyAll(range: StampRange, from: DatabasePlace): Promise<void> {
    const { tally } = this.#work
    const merger = this.#mergerFrom(from)
    for await (const stored of readRows(this.#work, from, range)) {
      if (from === 'primary') {
        tally.compared++
        tally.missingInBackup++
      } else tally.missingInPrimary++
      if (isDamaged(stored)) tally.addDamaged(damagedRow(from, stored.operation, false))
      else await merger?.add(stored.operation)
    }
    await merger?.flush()
  }

  async #exchange(range: StampRange): Promise<void> {
    const { tally } = this.#work
    const [primary, backup] = await Promise.all([
      this.#collect('primary', range),
      this.#collect('backup', range),
    ])
    const missingInBackup = [...primary.rows.keys()].filter((name) => !backup.rows.has(name))
    const missingInPrimary = [...backup.rows.keys()].filter((name) => !primary.rows.has(name))
    const differing = missingInPrimary.filter((name) => primary.subjects.has(subjectIn(name)))
    tally.differing += differing.length
    tally.missingInBackup += missingInBackup.length - differing.length
    tally.missingInPrimary += missingInPrimary.length - differing.length
    for (const name of differing) this.#noteConflict(subjectIn(name), primary, backup)
    await this.#copy(range, primary, missingInBackup)
    await this.#copy(range, backup, missingInPrimary)
  }

  async #collect(place: DatabasePlace, range: StampRange): Promise<Side> {
    const side: Side = { place, rows: new Map(), subjects: new Map() }
    let bytes = 0
    for await (const stored of readRows(this.#work, place, range)) {
      bytes += operationBytes(stored.operation)
      const kept = bytes <= EXCHANGE_BYTES_MAX ? stored : undefined
      side.rows.set(nameOf(stored), kept)
      side.subjects.set(subjectOf(stored.operation), kept?.operation)
    }
    return side
  }

  /** Copies the named rows of a range to the other place. A damaged one stays where it is. */
  async #copy(range: StampRange, side: Side, names: readonly string[]): Promise<void> {
    const merger = this.#mergerFrom(side.place)
    const again = new Set<string>()
    for (const name of names) {
      const stored = side.rows.get(name)
      if (stored === undefined) again.add(name)
      else await this.#copyOne(side.place, stored, merger)
    }
    if (again.size > 0) {
      for await (const stored of readRows(this.#work, side.place, range)) {
        if (again.has(nameOf(stored))) await this.#copyOne(side.place, stored, merger)
      }
    }
    await merger?.flush()
  }

  async #copyOne(
    from: DatabasePlace,
    stored: StoredOperation,
    merger: Merger | undefined,
  ): Promise<void> {
    if (isDamaged(stored)) {
      this.#work.tally.addDamaged(damagedRow(from, stored.operation, false))
    } else await merger?.add(stored.operation)
  }

  #mergerFrom(from: DatabasePlace): Merger | undefined {
    const { copy, into } = this.#options
    const to = from === 'primary' ? 'backup' : 'primary'
    return copy && (into === undefined || into === to) ? new Merger(this.#work, to) : undefined
  }

  /** Two contents under one id; edits and moves of one content are none. */
  #noteConflict(subject: string, { subjects: one }: Side, { subjects: two }: Side): void {
    const [a, b] = [one.get(subject), two.get(subject)]
    if (a?.kind !== 'put' || b?.kind !== 'put') return
    if (a.change !== 'append' || b.change !== 'append' || a.value === b.value) return
    this.#work.tally.conflicts++
    if (this.#options.copy) {
      this.#work.context.notify({ kind: 'conflict', key: a.key, id: a.id })
    }
  }
}

function isSame(a: BucketDigest, b: BucketDigest): boolean {
  return a.count === b.count && a.low === b.low && a.high === b.high
}

function isCuttable({ from, to }: StampRange): boolean {
  return stampMs(to) - stampMs(from) > 1
}

/**
 * A name is the subject, two NULs, that of the digest and where the row stands; neither keys nor ids have a
 * NUL.
 */
function nameOf({ operation, digest }: StoredOperation): string {
  return `${subjectOf(operation)}\0\0${nameIn(digest)} ${rangeStamp(operation)}`
}

function subjectIn(name: string): string {
  return name.slice(0, name.lastIndexOf('\0\0'))
}
