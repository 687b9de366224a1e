/*
 * Passes over the two databases: which ranges are compared, who may do it, and what a pass over
 * everything proves.
 */
import type { ReplicaState } from '../backend/replica-backend.ts'
import type { StampRange } from '../core/digest.ts'
import { isStorageError, messageOf, StorageError } from '../core/errors.ts'
import { DATABASE_PLACES, type DatabasePlace } from '../core/places.ts'
import { checkInteger } from '../core/limits.ts'
import { STAMP_MAX, STAMP_MIN, stampFloor, type Stamp } from '../core/stamp.ts'
import { DAY_MS } from '../core/time.ts'
import { isCacheHint } from '../strategy/cache/cache-hint.ts'
import type { StoreContext } from '../strategy/context.ts'
import { Comparison } from './comparison.ts'
import { deepCheck } from './deep-check.ts'
import { Pacer } from './pacer.ts'
import { checkParts } from './parts.ts'
import { parseNote, type PassNote, type UnfinishedPass } from './pass-note.ts'
import type { ResolvedReconcileOptions } from './reconcile-options.ts'
import { Tally, type ReconcileProgress, type ReconcileReport } from './reconcile-report.ts'
import type { Work } from './rows.ts'
import { WorkLease } from './work-lease.ts'

const LEASE_NAME = 'reconcile'
/** How long a pass that was asked for waits for that of another process. Milliseconds. */
const LEASE_WAIT_MS = 60_000
/** Time of one call that notes the outcome. */
const FINISH_TIMEOUT_MS = 10_000
/** What is younger is on its way to the backup, and would only count as missing. Milliseconds. */
const IN_FLIGHT_MS = 10_000
/** How often an unfinished pass notes how far it is. Milliseconds. */
const NOTE_MS = 2_000
/** An unfinished pass is begun anew after this long. Milliseconds. */
const RESUME_MAX_MS = 24 * 60 * 60 * 1_000
/** No stamp of this protocol is older. 2020-01-01. */
const EPOCH_MS = 1_577_836_800_000
/** The most that a verification may leave out. */
export const OLDER_THAN_MS_MAX: number = 365 * DAY_MS

/** How one pass is run. */
export interface PassOptions {
  /** `recent`: only the window since the last pass. Default: `full`. */
  readonly scope?: ReconcileReport['scope']
  /** Copies into this place only: it gets what the other has. */
  readonly into?: DatabasePlace
  /** In place of the option of the store. */
  readonly rowsPerSecond?: number
  readonly onProgress?: (progress: ReconcileProgress) => void
  /** Ends the pass between two calls; it rejects with `CLOSED`. What was copied stays. */
  readonly signal?: AbortSignal
}

export interface VerifyOptions extends PassOptions {
  /** Also compares every value with its digest: reads everything. */
  readonly deep?: boolean
  /**
   * Leaves out what is younger, which may be on its way to one of the databases. It goes by when a
   * message was saved: an edit or a removal on its way still counts as a difference. Milliseconds.
   * Default: 0.
   */
  readonly olderThanMs?: number
}

interface InternalOptions extends PassOptions {
  /** Leaves the databases half of their time. */
  readonly gentle?: boolean
}

type BothStates = Readonly<Record<DatabasePlace, ReplicaState>> & {
  /** Monotonic time when both had answered: what is compared from here on has what they had. */
  readonly begunAt: number
}

/** Compares the two databases of a store, and makes them equal. */
export class Reconciler {
  readonly #context: StoreContext
  readonly #options: ResolvedReconcileOptions

  constructor(context: StoreContext, options: ResolvedReconcileOptions) {
    this.#context = context
    this.#options = options
  }

  /** Compares without writing. `deep` looks at every value, too. */
  async verify(options: VerifyOptions = {}): Promise<ReconcileReport> {
    return await this.#measured('full', async (tally) => {
      const work = this.#work(tally, options, () => {})
      const nowMs = this.#context.clock.now()
      const olderThanMs = checkInteger(
        'olderThanMs',
        options.olderThanMs ?? 0,
        0,
        OLDER_THAN_MS_MAX,
      )
      const to = stampFloor(Math.max(0, nowMs - olderThanMs))
      const all = everything(nowMs)
      const ranges = olderThanMs === 0 ? all : all.flatMap((range) => below(range, to))
      const parts = new Tally()
      await checkParts({ ...work, tally: parts }, { mend: [], signal: options.signal })
      try {
        await this.#compare(work, ranges, options, { copy: false })
        if (options.deep === true) await this.#look(work, options, false)
      } catch (error) {
        // What is damaged may be what comparing goes by: then there is no more to tell.
        if (parts.damaged === 0 || !isStorageError(error, 'CORRUPT')) throw error
      }
      tally.addDamageOf(parts)
    })
  }

  /**
   * Copies what either lacks, while no other process does it.
   *
   * @throws StorageError `UNAVAILABLE` when another process has been at it for a minute, or took over.
   */
  async reconcile(options: PassOptions = {}): Promise<ReconcileReport> {
    const lease = await this.#lease(options.signal)
    return await this.#holding(lease, () =>
      options.scope === 'recent' ? this.#recent(lease, options) : this.#full(lease, options),
    )
  }

  /** A pass over everything, unless another process is at one. */
  async reconcileIfFree(): Promise<ReconcileReport | undefined> {
    const lease = await WorkLease.take(this.#context, LEASE_NAME)
    return lease === undefined ? undefined : await this.#holding(lease, () => this.#full(lease, {}))
  }

  /** Mends damaged values with the intact ones of the other database, and copies what either lacks. */
  async repair(options: PassOptions = {}): Promise<ReconcileReport> {
    const lease = await this.#lease(options.signal)
    return await this.#holding(lease, () =>
      this.#measured('full', async (tally) => {
        const work = this.#work(tally, options, () => lease.check())
        const parts = new Tally()
        await this.#mendParts({ ...work, tally: parts }, options)
        const before = await this.#probeBoth()
        await this.#look(work, options, true)
        const copied = new Tally()
        await this.#compare(
          { ...work, tally: copied },
          everything(this.#context.clock.now()),
          options,
          { copy: true },
        )
        addCopied(tally, copied)
        // What was mended, or has lost rows, is another database: it is not trusted before it is known to be whole.
        if (isWhole(copied, options.into) && isUndamaged(tally)) await this.#finish(before, lease)
        tally.addDamageOf(parts)
      }),
    )
  }

  /**
   * The pass that is due by the clock; undefined when another process has done it or is at it. After
   * an outage it is due whenever the last one was.
   */
  async scheduled(afterOutage: boolean, signal: AbortSignal): Promise<ReconcileReport | undefined> {
    const lease = await WorkLease.take(this.#context, LEASE_NAME)
    if (lease === undefined) return undefined
    return await this.#holding(lease, async () => {
      const { fullMs, recentMs } = parseNote(lease.note)
      const nowMs = this.#context.clock.now()
      const options = { gentle: true, signal }
      const isDue = (lastMs: number | undefined, everyMs: number): boolean =>
        lastMs === undefined || Math.abs(nowMs - lastMs) >= everyMs
      if (isDue(fullMs, this.#options.fullIntervalMs)) return await this.#full(lease, options)
      // By a clock that may be wrong nobody can say what is recent: a later holder would pass it by.
      const { agree } = this.#context.monitor.clocks.status()
      if (!agree) return afterOutage ? await this.#full(lease, options) : undefined
      // Another process may have been there in the meantime.
      const isRecent = afterOutage || isDue(recentMs, this.#options.intervalMs / 2)
      return isRecent ? await this.#recent(lease, options) : undefined
    })
  }

  async #recent(lease: WorkLease, options: InternalOptions): Promise<ReconcileReport> {
    const { clock } = this.#context
    const note = parseNote(lease.note)
    const toMs = clock.now() - IN_FLIGHT_MS
    const windowMs = toMs - this.#options.windowMs
    // After an outage: from where the last pass was, a window before.
    const sinceMs = Math.min(toMs, note.recentToMs ?? note.fullMs ?? toMs)
    const fromMs = Math.min(windowMs, sinceMs - this.#options.windowMs)
    const range = { from: stampFloor(fromMs), to: stampFloor(toMs) }
    return await this.#measured('recent', async (tally) => {
      const work = this.#work(tally, options, () => lease.check())
      await this.#compare(work, [range], options, { copy: true })
      if (options.into === undefined) {
        leave(lease, { ...note, recentMs: clock.now(), recentToMs: toMs })
      }
    })
  }

  async #full(lease: WorkLease, options: InternalOptions): Promise<ReconcileReport> {
    const { clock, env, monitor } = this.#context
    return await this.#measured('full', async (tally) => {
      const work = this.#work(tally, options, () => lease.check())
      await this.#mendParts(work, options)
      const before = await this.#probeBoth()
      const note = parseNote(lease.note)
      const begun = monitor.needsReconcile() ? undefined : resumable(note, before, clock.now())
      const pass = begun ?? {
        reached: STAMP_MIN,
        startedMs: clock.now(),
        primary: before.primary.identity,
        backup: before.backup.identity,
      }
      let notedAt = env.monotonic()
      const onReached = (reached: Stamp): void => {
        if (env.monotonic() - notedAt < NOTE_MS || options.into !== undefined) return
        notedAt = env.monotonic()
        leave(lease, { ...note, unfinished: { ...pass, reached } })
      }
      const all = everything(clock.now())
      const ranges = all.flatMap((range) => above(range, pass.reached))
      // Somebody waits for it: what was compared before the interruption may differ again.
      if (options.gentle !== true)
        ranges.push(...all.flatMap((range) => below(range, pass.reached)))
      await this.#compare(work, ranges, options, { copy: true, onReached })
      if (!isWhole(tally, options.into)) return
      // What was passed before the restart was compared by somebody who knew less than we do.
      const isComplete = begun === undefined || options.gentle !== true
      if (isComplete && isUndamaged(tally)) await this.#finish(before, lease)
      const nowMs = clock.now()
      leave(lease, { fullMs: nowMs, recentMs: nowMs, recentToMs: pass.startedMs - IN_FLIGHT_MS })
    })
  }

  /** Both hold the same now, unless one was replaced meanwhile: they note each other's identity. */
  async #finish({ primary, backup, begunAt }: BothStates, lease: WorkLease): Promise<void> {
    const { places, monitor } = this.#context
    const after = await this.#probeBoth()
    if (after.primary.identity !== primary.identity) return
    if (after.backup.identity !== backup.identity) return
    const trust = async (place: DatabasePlace, identity: string): Promise<void> => {
      const fence = lease.fence(place)
      await places[place].call('trust', FINISH_TIMEOUT_MS, (backend, options) =>
        backend.trust(identity, { ...options, fence }),
      )
    }
    await trust('primary', backup.identity)
    await trust('backup', primary.identity)
    monitor.reconciled({ primary: primary.identity, backup: backup.identity }, begunAt)
    // Read before the pass began, and raised with what they are about: whatever these writers, dead or
    // alive, had put into the backup because the primary was out has been copied. A hint that was
    // raised since has another count, and stays; so do those that are about the cache.
    const hints = backup.hints.filter((hint) => !isCacheHint(hint))
    if (hints.length === 0) return
    const fence = lease.fence('backup')
    await places.backup.call('removeHints', FINISH_TIMEOUT_MS, (backend, options) =>
      backend.removeHints(hints, { ...options, fence }),
    )
  }

  /** Before anything is compared: digests are among what may have lost something. */
  async #mendParts(work: Work, { into, signal }: PassOptions): Promise<void> {
    await checkParts(work, { mend: into === undefined ? DATABASE_PLACES : [into], signal })
  }

  async #look(work: Work, options: PassOptions, repair: boolean): Promise<void> {
    // What a comparison has come across is found again here, and counted once.
    work.tally.damaged = 0
    work.tally.damagedRows.length = 0
    const compared = work.tally.compared
    work.tally.compared = 0
    const progress = this.#progressOf(work.tally, options)
    try {
      await deepCheck(work, { from: STAMP_MIN, to: STAMP_MAX }, { repair })
    } finally {
      progress?.cancel()
      work.tally.compared = Math.max(compared, work.tally.compared)
    }
  }

  async #compare(
    work: Work,
    ranges: readonly StampRange[],
    options: PassOptions,
    { copy, onReached }: { readonly copy: boolean; readonly onReached?: (stamp: Stamp) => void },
  ): Promise<void> {
    const progress = this.#progressOf(work.tally, options)
    try {
      await new Comparison(work, { copy, into: options.into, onReached }).run(ranges)
    } finally {
      progress?.cancel()
    }
    this.#tell(options, work.tally)
  }

  /** Tells how far it is, some times a second. */
  #progressOf(tally: Tally, options: PassOptions): { readonly cancel: () => void } | undefined {
    if (options.onProgress === undefined) return undefined
    const { env } = this.#context
    const tell = (): ReturnType<typeof env.setTimer> =>
      env.setTimer(PROGRESS_MS, () => {
        this.#tell(options, tally)
        timer = tell()
      })
    let timer = tell()
    return { cancel: () => timer.cancel() }
  }

  /** A listener that throws ends neither the pass nor the process. */
  #tell({ onProgress }: PassOptions, tally: Tally): void {
    try {
      onProgress?.(tally.progress)
    } catch (error) {
      this.#context.env.logger.error({ error: messageOf(error) }, 'onProgress threw')
    }
  }

  #work(
    tally: Tally,
    { rowsPerSecond, gentle = false, signal }: InternalOptions,
    check: () => void,
  ): Work {
    const pacer = new Pacer(this.#context.env, {
      rowsPerSecond: rowsPerSecond ?? this.#options.rowsPerSecond,
      gentle,
      signal,
      check,
    })
    return { context: this.#context, tally, pacer }
  }

  async #measured(
    scope: ReconcileReport['scope'],
    run: (tally: Tally) => Promise<void>,
  ): Promise<ReconcileReport> {
    const { env } = this.#context
    const startedAt = env.monotonic()
    const tally = new Tally()
    await run(tally)
    return tally.report(scope, env.monotonic() - startedAt)
  }

  async #lease(signal: AbortSignal | undefined): Promise<WorkLease> {
    const lease = await WorkLease.take(this.#context, LEASE_NAME, LEASE_WAIT_MS, signal)
    if (lease !== undefined) return lease
    throw new StorageError('UNAVAILABLE', 'another process is reconciling: try again later')
  }

  async #holding<T>(lease: WorkLease, run: () => Promise<T>): Promise<T> {
    try {
      return await run()
    } finally {
      await lease.release()
    }
  }

  async #probeBoth(): Promise<BothStates> {
    const { env, monitor } = this.#context
    const primary = await monitor.probe('primary')
    const backup = await monitor.probe('backup')
    return { primary, backup, begunAt: env.monotonic() }
  }
}

const PROGRESS_MS = 100

/** What has no live position, and what lies in the future, are ranges of their own. */
function everything(nowMs: number): StampRange[] {
  const epoch = stampFloor(EPOCH_MS)
  const tomorrow = stampFloor(nowMs + DAY_MS)
  return [
    { from: STAMP_MIN, to: epoch },
    { from: epoch, to: tomorrow },
    { from: tomorrow, to: STAMP_MAX },
  ]
}

/** The part of a range above a place. */
function above({ from, to }: StampRange, place: Stamp): StampRange[] {
  if (to <= place) return []
  return [{ from: from > place ? from : place, to }]
}

/** The part of a range below a place. */
function below({ from, to }: StampRange, place: Stamp): StampRange[] {
  if (from >= place) return []
  return [{ from, to: to < place ? to : place }]
}

/** True when the pass has left nothing behind that only one of the two has. */
function isWhole(tally: Tally, into: DatabasePlace | undefined): boolean {
  if (into === undefined) return true
  const left = into === 'primary' ? tally.missingInBackup : tally.missingInPrimary
  return left === 0 && tally.differing === 0
}

/** True when everything could be copied, and all that was damaged was mended. */
function isUndamaged({ rejected, damaged, repaired }: Tally): boolean {
  return rejected === 0 && damaged === repaired
}

/** The pass that was interrupted, if it compared these databases and not too long ago. */
function resumable(
  { unfinished }: PassNote,
  { primary, backup }: BothStates,
  nowMs: number,
): UnfinishedPass | undefined {
  if (unfinished === undefined) return undefined
  if (unfinished.primary !== primary.identity) return undefined
  if (unfinished.backup !== backup.identity) return undefined
  return Math.abs(nowMs - unfinished.startedMs) < RESUME_MAX_MS ? unfinished : undefined
}

function leave(lease: WorkLease, note: PassNote): void {
  lease.leaveNote(JSON.stringify(note))
}

/** A repair also tells what it copied. */
function addCopied(tally: Tally, copied: Tally): void {
  tally.missingInPrimary = copied.missingInPrimary
  tally.missingInBackup = copied.missingInBackup
  tally.differing = copied.differing
  tally.conflicts = copied.conflicts
  tally.copied = copied.copied
  tally.rejected = copied.rejected
  tally.rowsRead += copied.rowsRead
  tally.bytesRead += copied.bytesRead
  tally.bytesWritten += copied.bytesWritten
}
