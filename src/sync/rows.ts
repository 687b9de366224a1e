/*
 * Rows on their way between the databases: reading them, telling them apart, merging them.
 */
import type { StoredOperation } from '../backend/replica-backend.ts'
import { digestOf, type StampRange } from '../core/digest.ts'
import { isStorageError } from '../core/errors.ts'
import { BATCH_BYTES_MAX } from '../core/limits.ts'
import { rangeStamp, operationBytes, type Operation } from '../core/operation.ts'
import type { DatabasePlace } from '../core/places.ts'
import { stampFloor, stampMs } from '../core/stamp.ts'
import type { StoreContext } from '../strategy/context.ts'
import type { Pacer } from './pacer.ts'
import type { DamagedRow, Tally } from './reconcile-report.ts'

/** Operations of one call. */
const COPY_OPERATIONS_MAX = 200
/** Time of one page of a scan, and of one merge. */
const ROWS_TIMEOUT_MS = 10_000
/** Rows between two looks at the pace. */
const PACE_ROWS = 64

/** What the parts of a pass share. */
export interface Work {
  readonly context: StoreContext
  readonly tally: Tally
  readonly pacer: Pacer
}

/** The rows of a range, counted and paced. */
export async function* readRows(
  { context, tally, pacer }: Work,
  place: DatabasePlace,
  range: StampRange,
): AsyncGenerator<StoredOperation> {
  let unpaced = 0
  for await (const stored of context.places[place].scanStored(range, ROWS_TIMEOUT_MS)) {
    tally.rowsRead++
    tally.bytesRead += operationBytes(stored.operation)
    yield stored
    if (++unpaced === PACE_ROWS) {
      await pacer.rows(unpaced)
      unpaced = 0
    }
  }
  await pacer.rows(unpaced)
}

/** What an operation is about: two of one subject with different digests differ. */
export function subjectOf(operation: Operation): string {
  return operation.kind === 'put'
    ? `${operation.change}\0${operation.key}\0${operation.id}`
    : `${operation.kind}\0${operation.key}`
}

export function isDamaged({ operation, digest }: StoredOperation): boolean {
  return digestOf(operation) !== digest
}

/** The millisecond in which an operation stands. */
export function momentOf(operation: Operation): StampRange {
  const ms = stampMs(rangeStamp(operation))
  return { from: stampFloor(ms), to: stampFloor(ms + 1) }
}

export function damagedRow(
  place: DatabasePlace,
  operation: Operation,
  repaired: boolean,
): DamagedRow {
  const { key } = operation
  return {
    place,
    key,
    ...(operation.kind === 'put' && { id: operation.id }),
    part: partOf(operation),
    position: rangeStamp(operation),
    repaired,
  }
}

function partOf(operation: Operation): DamagedRow['part'] {
  if (operation.kind === 'set') return 'register'
  if (operation.kind === 'delete') return 'cleared'
  return operation.change === 'append'
    ? 'appended'
    : operation.change === 'edit'
      ? 'edited'
      : 'removed'
}

/** Gathers operations for one place and merges them in calls of bounded size. */
export class Merger {
  readonly #work: Work
  readonly #place: DatabasePlace
  #chunk: Operation[] = []
  #bytes = 0

  constructor(work: Work, place: DatabasePlace) {
    this.#work = work
    this.#place = place
  }

  async add(operation: Operation): Promise<void> {
    const bytes = operationBytes(operation)
    if (this.#bytes + bytes > BATCH_BYTES_MAX) await this.flush()
    this.#chunk.push(operation)
    this.#bytes += bytes
    if (this.#chunk.length === COPY_OPERATIONS_MAX) await this.flush()
  }

  /** Merges what was gathered. */
  async flush(): Promise<void> {
    const chunk = this.#chunk
    this.#chunk = []
    this.#bytes = 0
    if (chunk.length === 0) return
    await this.#merge(chunk)
    await this.#work.pacer.rows(chunk.length)
  }

  /** One call; what the place refuses for good is found by halving, and the rest goes through. */
  async #merge(chunk: readonly Operation[]): Promise<void> {
    const { context, tally } = this.#work
    try {
      await context.places[this.#place].longCall('apply', ROWS_TIMEOUT_MS, (backend, options) =>
        backend.apply(chunk, options),
      )
      await context.cache?.changed(chunk.map(({ key }) => key))
      tally.copied += chunk.length
      for (const operation of chunk) tally.bytesWritten += operationBytes(operation)
    } catch (error) {
      if (!isStorageError(error, 'REJECTED')) throw error
      if (chunk.length === 1) {
        tally.rejected++
        return
      }
      const middle = chunk.length >> 1
      await this.#merge(chunk.slice(0, middle))
      await this.#merge(chunk.slice(middle))
    }
  }
}
