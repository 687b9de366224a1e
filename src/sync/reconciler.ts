/*
 * Makes two databases equal. Digests of ranges of position time are compared; ranges that differ
 * are cut until they are small, and only then rows are exchanged. What one place lacks is merged
 * into it as ordinary operations, so a reconcile may run beside writes and be repeated at will.
 */
import type { ReplicaState } from '../backend/replica-backend.ts'
import type { BucketDigest, StampRange } from '../core/digest.ts'
import { digestOf } from '../core/digest.ts'
import { isStorageError } from '../core/errors.ts'
import type { DatabasePlace, Operation } from '../core/operation.ts'
import { STAMP_MAX, STAMP_MIN, stampFloor, stampMs } from '../core/stamp.ts'
import type { StoreContext } from '../strategy/context.ts'

/** Buckets that a range is cut into. */
const BUCKETS = 64
/** A range with at most so many rows is exchanged instead of being cut further. */
const EXCHANGE_ROWS_MAX = 512
/** Operations of one call. */
const COPY_OPERATIONS_MAX = 200
/** Time of one digest or scan; both read many rows. */
const CALL_TIMEOUT_MS = 120_000
/** No stamp of this protocol is older. 2020-01-01. */
const EPOCH_MS = 1_577_836_800_000
const DAY_MS = 86_400_000

export interface ReconcileReport {
  /** Rows whose digests were compared: those of the primary. */
  readonly compared: number
  readonly missingInPrimary: number
  readonly missingInBackup: number
  /** In both, with different content; counted apart from the missing ones. */
  readonly differing: number
  /** Operations merged into either place; 0 for a verification. */
  readonly copied: number
  /** Operations that a place refuses for good: the two cannot be made equal. */
  readonly rejected: number
  readonly durationMs: number
}

export interface ReconcileOptions {
  /** False compares only. */
  readonly copy: boolean
}

type BothStates = Readonly<Record<DatabasePlace, ReplicaState>>

interface Tally {
  compared: number
  missingInPrimary: number
  missingInBackup: number
  differing: number
  copied: number
  rejected: number
}

/** One full pass over everything. Rejects when either place fails; what was copied stays. */
export async function reconcile(
  context: StoreContext,
  { copy }: ReconcileOptions,
): Promise<ReconcileReport> {
  const startedAt = context.env.monotonic()
  const tally: Tally = {
    compared: 0,
    missingInPrimary: 0,
    missingInBackup: 0,
    differing: 0,
    copied: 0,
    rejected: 0,
  }
  const before = await probeBoth(context)
  for (const range of firstRanges(context.clock.now())) await compare(context, range, copy, tally)
  if (copy && tally.rejected === 0) await finish(context, before)
  return { ...tally, durationMs: Math.round(context.env.monotonic() - startedAt) }
}

/** What has no live position, and what lies in the future, are ranges of their own. */
function firstRanges(nowMs: number): StampRange[] {
  const epoch = stampFloor(EPOCH_MS)
  const tomorrow = stampFloor(nowMs + DAY_MS)
  return [
    { from: STAMP_MIN, to: epoch },
    { from: epoch, to: tomorrow },
    { from: tomorrow, to: STAMP_MAX },
  ]
}

async function compare(
  context: StoreContext,
  range: StampRange,
  copy: boolean,
  tally: Tally,
): Promise<void> {
  const [primary, backup] = await Promise.all([
    digest(context, 'primary', range),
    digest(context, 'backup', range),
  ])
  for (const [i, bucket] of primary.entries()) {
    const other = backup[i]!
    if (isSame(bucket, other)) {
      tally.compared += bucket.count
      continue
    }
    const splittable = stampMs(bucket.to) - stampMs(bucket.from) > 1
    if (splittable && Math.max(bucket.count, other.count) > EXCHANGE_ROWS_MAX) {
      await compare(context, bucket, copy, tally)
    } else {
      tally.compared += bucket.count
      await exchange(context, bucket, copy, tally)
    }
  }
}

async function digest(
  context: StoreContext,
  place: DatabasePlace,
  range: StampRange,
): Promise<readonly BucketDigest[]> {
  return await context.places[place].call('digest', CALL_TIMEOUT_MS, (backend, options) =>
    backend.digest(range, BUCKETS, options),
  )
}

function isSame(a: BucketDigest, b: BucketDigest): boolean {
  return a.count === b.count && a.low === b.low && a.high === b.high
}

async function exchange(
  context: StoreContext,
  range: StampRange,
  copy: boolean,
  tally: Tally,
): Promise<void> {
  const [primary, backup] = await Promise.all([
    scan(context, 'primary', range),
    scan(context, 'backup', range),
  ])
  const toBackup = lacking(primary, backup)
  const toPrimary = lacking(backup, primary)
  const differing = countDiffering(toBackup, toPrimary)
  tally.differing += differing
  tally.missingInBackup += toBackup.length - differing
  tally.missingInPrimary += toPrimary.length - differing
  if (!copy) return
  await merge(context, 'backup', toBackup, tally)
  await merge(context, 'primary', toPrimary, tally)
}

async function scan(
  context: StoreContext,
  place: DatabasePlace,
  range: StampRange,
): Promise<Map<string, Operation>> {
  return await context.places[place].call('scan', CALL_TIMEOUT_MS, async (backend, options) => {
    const operations = new Map<string, Operation>()
    for await (const operation of backend.scan(range, options)) {
      operations.set(`${subjectOf(operation)}\0${digestOf(operation)}`, operation)
    }
    return operations
  })
}

/** What an operation is about: two of one subject with different digests differ. */
function subjectOf(operation: Operation): string {
  return operation.kind === 'put'
    ? `${operation.change}\0${operation.key}\0${operation.id}`
    : `${operation.kind}\0${operation.key}`
}

function lacking(
  from: ReadonlyMap<string, Operation>,
  to: ReadonlyMap<string, Operation>,
): Operation[] {
  return [...from].filter(([name]) => !to.has(name)).map(([, operation]) => operation)
}

function countDiffering(a: readonly Operation[], b: readonly Operation[]): number {
  const subjects = new Set(a.map(subjectOf))
  return b.filter((operation) => subjects.has(subjectOf(operation))).length
}

async function merge(
  context: StoreContext,
  place: DatabasePlace,
  operations: readonly Operation[],
  tally: Tally,
): Promise<void> {
  for (let from = 0; from < operations.length; from += COPY_OPERATIONS_MAX) {
    const chunk = operations.slice(from, from + COPY_OPERATIONS_MAX)
    await mergeChunk(context, place, chunk, tally)
  }
}

/** One call; what the place refuses for good is found by halving, and the rest goes through. */
async function mergeChunk(
  context: StoreContext,
  place: DatabasePlace,
  chunk: readonly Operation[],
  tally: Tally,
): Promise<void> {
  try {
    await context.places[place].apply(chunk, { timeoutMs: CALL_TIMEOUT_MS })
    await context.cache?.changed(chunk.map(({ key }) => key))
    tally.copied += chunk.length
  } catch (error) {
    if (!isStorageError(error, 'REJECTED')) throw error
    if (chunk.length === 1) {
      tally.rejected++
      return
    }
    const middle = chunk.length >> 1
    await mergeChunk(context, place, chunk.slice(0, middle), tally)
    await mergeChunk(context, place, chunk.slice(middle), tally)
  }
}

/** Both hold the same now, unless one was replaced meanwhile: they note each other's identity. */
async function finish(context: StoreContext, before: BothStates): Promise<void> {
  const after = await probeBoth(context)
  const { primary, backup } = before
  if (after.primary.identity !== primary.identity) return
  if (after.backup.identity !== backup.identity) return
  const trust = (place: DatabasePlace, identity: string): Promise<void> =>
    context.places[place].call('trust', CALL_TIMEOUT_MS, (backend, options) =>
      backend.trust(identity, options),
    )
  await trust('primary', backup.identity)
  await trust('backup', primary.identity)
  context.monitor.reconciled({ primary: primary.identity, backup: backup.identity })
  // Read before the pass began, and raised with what they are about: whatever these writers, dead or
  // alive, had put into the backup because the primary was out has been copied. A hint that was
  // raised since has another count, and stays.
  if (backup.hints.length === 0) return
  await context.places.backup.call('removeHints', CALL_TIMEOUT_MS, (backend, options) =>
    backend.removeHints(backup.hints, options),
  )
}

async function probeBoth(context: StoreContext): Promise<BothStates> {
  return {
    primary: await context.monitor.probe('primary'),
    backup: await context.monitor.probe('backup'),
  }
}
