import type { DatabasePlace } from '../core/places.ts'
import type { Stamp } from '../core/stamp.ts'

/** Damaged rows that a report names; more are only counted. */
export const DAMAGED_ROWS_MAX = 1_000

/** A stored value that does not fit its digest, or something of the engine's own that has lost a part. */
export interface DamagedRow {
  readonly place: DatabasePlace
  /** Empty where an index over several keys is damaged. */
  readonly key: string
  /** The item's; absent where it is about the key itself. */
  readonly id?: string
  /** Of an index: what the engine calls it. */
  readonly name?: string
  /** `cleared` and `removed` have no value: there the digest itself is damaged. */
  readonly part: 'appended' | 'edited' | 'removed' | 'register' | 'cleared' | 'index'
  /** Where it stands; absent of an index. */
  readonly position?: Stamp
  /** The intact value of the other database was written over it, or the index was made anew. */
  readonly repaired: boolean
}

/** What a pass has found and done. */
export interface ReconcileReport {
  /** `recent`: only the window since the last pass; what was edited or removed in older rows is not in it. */
  readonly scope: 'full' | 'recent'
  /** Rows whose digests were compared: those of the primary. */
  readonly compared: number
  readonly missingInPrimary: number
  readonly missingInBackup: number
  /** In both, with different stamps; counted apart from the missing ones. */
  readonly differing: number
  /** Of these: two contents that were saved under one id. The later position counts. */
  readonly conflicts: number
  /** Operations merged into either place; 0 for a verification. */
  readonly copied: number
  /** Operations that a place refuses for good: the two cannot be made equal. */
  readonly rejected: number
  /**
   * Values that do not fit their digests, and were not copied, and indexes that have lost something. Only
   * `verify({ deep: true })` and `repair` look at every value; other passes see those that they would
   * have copied. Every full pass looks at the indexes.
   */
  readonly damaged: number
  /** Of these: mended, with the intact value of the other database or an index that was made anew. */
  readonly repaired: number
  /** The damaged ones, at most 1,000. */
  readonly damagedRows: readonly DamagedRow[]
  /** Rows that were read from either place. Digests are not rows: 0 when both are equal. */
  readonly rowsRead: number
  /** What those rows are worth, roughly. */
  readonly bytesRead: number
  readonly bytesWritten: number
  readonly durationMs: number
}

/** How far a pass is. */
export interface ReconcileProgress {
  /** Rows that were compared so far, and all that there are; both are those of the primary. */
  readonly compared: number
  readonly total: number
  readonly copied: number
}

/** A report while it is being made. */
export class Tally {
  compared = 0
  total = 0
  missingInPrimary = 0
  missingInBackup = 0
  differing = 0
  conflicts = 0
  copied = 0
  rejected = 0
  damaged = 0
  repaired = 0
  rowsRead = 0
  bytesRead = 0
  bytesWritten = 0
  readonly damagedRows: DamagedRow[] = []

  addDamaged(row: DamagedRow): void {
    this.damaged++
    if (row.repaired) this.repaired++
    if (this.damagedRows.length < DAMAGED_ROWS_MAX) this.damagedRows.push(row)
  }

  /** Adds the damage of another tally. */
  addDamageOf({ damaged, repaired, damagedRows }: Tally): void {
    this.damaged += damaged
    this.repaired += repaired
    const room = Math.max(0, DAMAGED_ROWS_MAX - this.damagedRows.length)
    this.damagedRows.push(...damagedRows.slice(0, room))
  }

  report(scope: ReconcileReport['scope'], durationMs: number): ReconcileReport {
    const { total: _total, ...counts } = this
    return { scope, ...counts, durationMs: Math.round(durationMs) }
  }

  get progress(): ReconcileProgress {
    const { compared, total, copied } = this
    return { compared, total: Math.max(total, compared), copied }
  }
}
