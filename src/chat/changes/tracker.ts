import type { Item } from '../../core/merge.ts'
import { isRemoved } from '../../core/merge.ts'
import { maxStamp, STAMP_MIN, stampFloor, stampMs, type Stamp } from '../../core/stamp.ts'
import type { Gone } from '../../strategy/read/read-port.ts'
import type { RawChange } from './change.ts'
import { formatCursor, type Known } from './change-cursor.ts'
import { behind, hashOf, isNewer, isSame, markOf, type Mark } from './mark.ts'
import { Comparison, Summary } from './summary.ts'

/** Messages that came less than this before the latest one are known one by one. Milliseconds. */
export const OVERLAP_MS = 15_000
/** So are the latest ones, whatever their age. */
export const RECENT_MESSAGES = 50
/** More are never known one by one. */
const WINDOW_MESSAGES_MAX = 5_000

/** What was read of a conversation: all that stands behind `after`, up to and with `through`. */
export interface View {
  readonly after: Stamp
  /** Undefined: up to its end. */
  readonly through: Stamp | undefined
  /** By position. */
  readonly items: readonly Item[]
  readonly gone: Gone
  /** Nothing that anybody acknowledged is missing. */
  readonly complete: boolean
  /** `monotonic` when the read began. */
  readonly startedMs: number
  /** Wall clock. */
  readonly nowMs: number
}

/** A change, and the cursor with which a follower goes on behind it. */
export interface Tracked {
  readonly change: RawChange
  readonly cursor: string
}

interface Entry {
  readonly mark: Mark
  readonly isRemoved: boolean
  /** `monotonic` when it was put here. */
  readonly atMs: number
}

/**
 * What one follower of a conversation has been told, and what of a view is new to it: the latest messages one
 * by one, all others as sums. It asks nobody and knows no time of its own.
 */
export class Tracker {
  readonly #key: string
  readonly #window = new Map<string, Entry>()
  readonly #below: Summary
  /** Messages up to here are in the sums. */
  #floor: Stamp
  #deletedThrough: Stamp
  /** What it was told before is known as sums only: removals are told again. */
  #isResumed: boolean
  #cursor: string | undefined

  private constructor(key: string, known: Known, below: Summary, isResumed: boolean) {
    this.#key = key
    this.#floor = known.floor
    this.#deletedThrough = known.deletedThrough
    this.#below = below
    this.#isResumed = isResumed
  }

  /** Of a follower who has been told nothing yet. */
  static fromBeginning(key: string): Tracker {
    const known = { floor: STAMP_MIN, deletedThrough: STAMP_MIN, total: undefined }
    return new Tracker(key, known, new Summary(), false)
  }

  /** Of a follower who was told this. */
  static resumed(key: string, known: Known): Tracker {
    const { floor, total } = known
    const parts = floor === STAMP_MIN ? [] : [{ through: floor, total, isNew: false }]
    return new Tracker(key, known, new Summary(parts), true)
  }

  /** Of a follower who wants what comes from now on: these are the latest messages, by position. */
  static fromNow(key: string, items: readonly Item[], gone: Gone, isWhole: boolean): Tracker {
    const floor = isWhole ? STAMP_MIN : (items[0]?.position ?? STAMP_MIN)
    const window = isWhole ? items : items.slice(1)
    return Tracker.behind(key, floor, gone.deletedThrough ?? STAMP_MIN, window)
  }

  /**
   * Of a follower who wants what stands behind a position. The messages are known to it; without them it is
   * not certain what it knows.
   */
  static behind(
    key: string,
    floor: Stamp,
    deletedThrough: Stamp,
    items?: readonly Item[],
  ): Tracker {
    const parts = floor === STAMP_MIN ? [] : [{ through: floor, total: undefined, isNew: true }]
    const known = { floor, deletedThrough, total: undefined }
    const tracker = new Tracker(key, known, new Summary(parts), items === undefined)
    for (const item of items ?? []) {
      tracker.#window.set(item.id, { mark: markOf(item), isRemoved: false, atMs: -Infinity })
    }
    return tracker
  }

  /** Where a view must begin to tell all that is new. */
  get floor(): Stamp {
    return this.#floor
  }

  /** False while there are messages of which it does not know whether they change. */
  get isReady(): boolean {
    return !this.#below.isNew
  }

  get cursor(): string {
    const { total } = this.#below
    this.#cursor ??= formatCursor(this.#key, {
      floor: this.#floor,
      deletedThrough: this.#deletedThrough,
      total,
    })
    return this.#cursor
  }

  /** What is new in a view, in the order of positions. */
  absorb(view: View): Tracked[] {
    const told: Tracked[] = []
    this.#clear(view.gone.deletedThrough, told)
    for (const { id, position } of view.gone.removed) this.#remove(id, position, view, told)
    for (const item of view.items) this.#see(item, view.startedMs, told)
    if (view.through === undefined) {
      if (view.complete) this.#miss(view, told)
      if (view.after <= this.#floor) this.#isResumed = false
    }
    // A view that leaves something out between the sums and itself says nothing of that.
    if (view.after <= this.#floor) this.#advance(view)
    return told
  }

  /** A page behind an earlier one of the same reading, which began at the floor. */
  absorbNext(view: View): Tracked[] {
    const told = this.absorb(view)
    if (view.through === undefined) this.#isResumed = false
    if (view.after > this.#floor) this.#advance(view)
    return told
  }

  /** What this process wrote itself. */
  absorbOwn(item: Item, nowMs: number): Tracked[] {
    const told: Tracked[] = []
    if (item.position > this.#deletedThrough) this.#see(item, nowMs, told)
    return told
  }

  /** Takes all that is known singly into the sums: nobody looks at them for a while. */
  park(): void {
    this.#sumUp([...this.#window].sort(byPosition))
  }

  /** Begins to compare the sums with what is read from the first message on. */
  compare(): { readonly comparison: Comparison; readonly version: number } {
    this.#below.close()
    return { comparison: new Comparison(this.#below.parts), version: this.#below.version }
  }

  /** Its end. Nothing comes of one that something happened during. */
  compared(comparison: Comparison, version: number): Tracked[] | undefined {
    if (version !== this.#below.version) return undefined
    const { differing, parts } = comparison.end()
    // Only who was told the last of them has been told all.
    const before = this.cursor
    this.#below.replace(parts, comparison.through)
    this.#changed()
    return differing.map(({ after, through }, i) => ({
      change: rangeOf(after, behind(through)),
      cursor: i < differing.length - 1 ? before : this.cursor,
    }))
  }

  #clear(through: Stamp | undefined, told: Tracked[]): void {
    if (through === undefined || through <= this.#deletedThrough) return
    this.#deletedThrough = through
    this.#below.cut(through)
    this.#changed()
    for (const [id, { mark }] of this.#window) if (mark.position <= through) this.#window.delete(id)
    told.push(this.#tell({ type: 'cleared', through }))
  }

  #remove(id: string, position: Stamp, { after, startedMs }: View, told: Tracked[]): void {
    if (position <= maxStamp(this.#floor, after)) return
    const known = this.#window.get(id)
    if (known?.isRemoved === true) return
    const mark = { position, editedOf: STAMP_MIN, editedAt: STAMP_MIN }
    this.#window.set(id, { mark, isRemoved: true, atMs: startedMs })
    if (known !== undefined || this.#isResumed) {
      told.push(this.#tell({ type: 'removed', id, position }))
    }
  }

  #see(item: Item, atMs: number, told: Tracked[]): void {
    if (item.position <= this.#floor || isRemoved(item)) return
    const known = this.#window.get(item.id)
    if (known?.isRemoved === true) return
    const mark = markOf(item)
    if (known !== undefined && (isSame(mark, known.mark) || !isNewer(mark, known.mark))) return
    this.#window.set(item.id, { mark, isRemoved: false, atMs })
    told.push(this.#tell({ type: known === undefined ? 'message' : 'updated', item }))
  }

  /** What was told, and is not there any more, although nothing says that it was removed. */
  #miss({ after, items, startedMs }: View, told: Tracked[]): void {
    const from = maxStamp(after, this.#floor)
    const found = new Set(items.map(({ id }) => id))
    const missing = [...this.#window].filter(
      ([id, { mark, isRemoved: gone, atMs }]) =>
        !gone && atMs < startedMs && mark.position > from && !found.has(id),
    )
    if (missing.length === 0) return
    for (const [id] of missing) this.#window.delete(id)
    told.push(this.#tell(rangeOf(this.#floor, undefined)))
  }

  /** Takes what is old enough from the window into the sums. */
  #advance({ through, items, nowMs }: View): void {
    const last = through ?? items.at(-1)?.position
    if (last === undefined) return
    const known = [...this.#window].filter(([, { mark }]) => mark.position <= last).sort(byPosition)
    const old = stampFloor(Math.min(stampMs(last), nowMs) - OVERLAP_MS)
    const young = known.findIndex(([, { mark }]) => mark.position > old)
    const byAge = young < 0 ? known.length : young
    const count = Math.max(
      Math.min(byAge, known.length - RECENT_MESSAGES),
      known.length - WINDOW_MESSAGES_MAX,
    )
    if (count > 0) this.#sumUp(known.slice(0, count))
  }

  #sumUp(entries: readonly (readonly [string, Entry])[]): void {
    for (const [id, { mark, isRemoved: gone }] of entries) {
      this.#window.delete(id)
      this.#below.advance(mark.position, gone ? undefined : hashOf(id, mark))
      this.#floor = mark.position
    }
    this.#changed()
  }

  #changed(): void {
    this.#cursor = undefined
  }

  #tell(change: RawChange): Tracked {
    return { change, cursor: this.cursor }
  }
}

function rangeOf(after: Stamp, before: Stamp | undefined): RawChange {
  return {
    type: 'resync',
    ...(after !== STAMP_MIN && { after }),
    ...(before !== undefined && { before }),
  }
}

function byPosition([, a]: readonly [string, Entry], [, b]: readonly [string, Entry]): number {
  return a.mark.position < b.mark.position ? -1 : 1
}
