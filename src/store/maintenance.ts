import type { Hint } from '../backend/replica-backend.ts'
import { BackgroundLoop } from '../core/background-loop.ts'
import { messageOf } from '../core/errors.ts'
import { DATABASE_PLACES, type DatabasePlace } from '../core/places.ts'
import { DAY_MS, backoffMs, sleep, unlessAborted, withDeadline } from '../core/time.ts'
import { isCacheHint, raiserOf } from '../strategy/cache/cache-hint.ts'
import type { StoreContext } from '../strategy/context.ts'
import type { ResolvedReconcileOptions } from '../sync/reconcile-options.ts'
import type { ReconcileReport } from '../sync/reconcile-report.ts'
import type { Reconciler } from '../sync/reconciler.ts'
import type { PlaceManagers } from './config.ts'
import { ReconcileSchedule } from './reconcile-schedule.ts'

const TICK_MS = 1_000
/** How often the cursors are noted in the databases, if they moved. */
const CURSOR_MS = 10_000
const CURSOR_TIMEOUT_MS = 2_000
/** A live writer with nothing owed takes its hint back within seconds. */
const HINT_FORGOTTEN_MS = 30_000
/** Pause between attempts to connect a cache. */
const CACHE_RETRY_MS = 5_000
/** How long `stop` waits for a pass to end. */
const STOP_MS = 1_000
const RETRY = { firstMs: 1_000, maxMs: 60_000 }

export interface MaintenanceOptions {
  readonly context: StoreContext
  readonly reconciler: Reconciler
  readonly reconcile: ResolvedReconcileOptions
  readonly managers: PlaceManagers
  /** Earlier incarnations of this process: they are dead. */
  readonly formerWriters: () => readonly string[]
  /** Opens the log again when it did not open at start. */
  readonly openLog: () => Promise<void>
  readonly onReconciled: (report: ReconcileReport) => void
  readonly onError: (task: string, error: unknown, level?: 'debug' | 'warn') => void
}

/**
 * Loops for what must happen sooner or later: connecting a place that was away at start, and a
 * reconcile by the clock, after an outage, and after a database changed or a process died with a hint.
 */
export class Maintenance {
  readonly #options: MaintenanceOptions
  readonly #background = new BackgroundLoop()
  readonly #schedule: ReconcileSchedule
  /** The pass that is under way: there is one at a time. */
  #pass: Promise<ReconcileReport | undefined> | undefined
  /** The pass that begins when that has ended; callers share it. */
  #next: Promise<ReconcileReport> | undefined
  #failures = 0
  #nextPassAt = 0
  #nextCursorsAt = 0
  /** Hints of others as they were seen first. */
  readonly #hints = new Map<string, { readonly count: number; readonly sinceMs: number }>()
  readonly #nextCacheAt: Record<keyof PlaceManagers, number> = { primary: 0, backup: 0, cache: 0 }
  readonly #noted: Record<DatabasePlace, number> = { primary: 0, backup: 0 }

  constructor(options: MaintenanceOptions) {
    this.#options = options
    this.#schedule = new ReconcileSchedule(options.context, options.reconcile)
  }

  start(): void {
    // Side by side: a pass may take minutes, or wait for the lease of another process.
    this.#background.start((signal) =>
      Promise.all([
        this.#loop(signal, async () => {
          await Promise.all([this.#connectAll(), this.#connectCache('cache'), this.#openLog()])
          await this.#noteCursors()
          await this.#dropCacheHints()
        }),
        this.#loop(signal, async () => {
          await this.#reconcileIfNeeded(signal)
          await this.#reconcileBySchedule(signal)
        }),
      ]),
    )
  }

  async stop(): Promise<void> {
    await this.#background.stop()
    // It ends at its next call, and leaves behind how far it is; one that hangs is not waited for.
    const pass = this.#pass
    if (pass === undefined) return
    const { env } = this.#options.context
    await withDeadline(env, STOP_MS, 'the pass under way', pass).catch(() => undefined)
  }

  /** A full pass that begins after the call; concurrent calls share it. */
  async reconcile(): Promise<ReconcileReport> {
    // One that is under way may have gone past what the caller wants to be copied.
    this.#next ??= this.run(async (reconciler) => {
      this.#next = undefined
      return await reconciler.reconcile()
    })
    return await this.#next
  }

  /** Runs a pass after those that were asked for before, and tells of its report. */
  async run<T extends ReconcileReport | undefined>(
    pass: (reconciler: Reconciler) => Promise<T>,
  ): Promise<T> {
    const before = this.#pass
    const own = (async () => {
      await before?.catch(() => undefined)
      return await pass(this.#options.reconciler)
    })()
    this.#pass = own
    try {
      const report = await own
      if (report !== undefined) this.#options.onReconciled(report)
      return report
    } finally {
      if (this.#pass === own) this.#pass = undefined
    }
  }

  async #loop(signal: AbortSignal, round: () => Promise<void>): Promise<void> {
    while (!signal.aborted) {
      await round()
      await sleep(this.#options.context.env, TICK_MS, signal)
    }
  }

  async #connectAll(): Promise<void> {
    const { managers, context } = this.#options
    await Promise.all(
      DATABASE_PLACES.map(async (place) => {
        if (context.places[place].isAbsent) return
        if (managers[place].isConnected()) {
          await this.#connectCache(place)
          return
        }
        try {
          await managers[place].connect()
          await context.monitor.probe(place)
          context.log.wake(place)
        } catch (error) {
          context.env.logger.debug({ place, error: messageOf(error) }, 'place is still away')
        }
      }),
    )
  }

  /** A cache that was away at the start would otherwise stay away, and keep others from theirs. */
  async #connectCache(place: keyof PlaceManagers): Promise<void> {
    const { managers, context } = this.#options
    const manager = managers[place]
    if (manager === undefined || (manager.isConnected() && !manager.hasCacheFallback())) return
    if (context.env.monotonic() < this.#nextCacheAt[place]) return
    this.#nextCacheAt[place] = context.env.monotonic() + CACHE_RETRY_MS
    try {
      await manager.connect()
    } catch (error) {
      context.env.logger.debug({ place, error: messageOf(error) }, 'the cache is still away')
    }
  }

  /**
   * A database that is restored from an old dump has an older cursor of ours, and is found out by
   * it. The flush notes cursors too; a primary that is never caught up with gets them here.
   */
  async #noteCursors(): Promise<void> {
    const { env, clock, log, places } = this.#options.context
    if (env.monotonic() < this.#nextCursorsAt) return
    this.#nextCursorsAt = env.monotonic() + CURSOR_MS
    await Promise.all(
      DATABASE_PLACES.map(async (place) => {
        const lsn = log.cursor(place)
        if (lsn <= this.#noted[place] || !places[place].isUp()) return
        try {
          const cursor = { writer: clock.writerId, lsn }
          await places[place].apply([], { cursor, timeoutMs: CURSOR_TIMEOUT_MS })
          this.#noted[place] = lsn
        } catch (error) {
          env.logger.debug({ place, error: messageOf(error) }, 'the cursor was not noted')
        }
      }),
    )
  }

  async #openLog(): Promise<void> {
    try {
      await this.#options.openLog()
    } catch (error) {
      // That it is not open was told, and so it will be when it is.
      this.#options.onError('wal open', error, 'debug')
    }
  }

  async #reconcileIfNeeded(signal: AbortSignal): Promise<void> {
    const { context, onError } = this.#options
    const { env, monitor, places } = context
    if (this.#options.reconcile.when === 'on-demand') return
    if (!this.#isDue() || env.monotonic() < this.#nextPassAt) return
    if (!places.primary.isUp() || !places.backup.isUp()) return
    try {
      // Its calls have long deadlines: whoever closes the store does not wait for them.
      const pass = this.run((reconciler) => reconciler.reconcile({ signal }))
      await unlessAborted(env, signal, pass)
      // Still due after a pass: another database yet again, or a row that one of them refuses.
      if (monitor.needsReconcile()) this.#nextPassAt = env.monotonic() + this.#pauseMs()
      else this.#failures = 0
    } catch (error) {
      if (signal.aborted) return
      this.#nextPassAt = env.monotonic() + this.#pauseMs()
      onError('reconcile', error)
    }
  }

  async #reconcileBySchedule(signal: AbortSignal): Promise<void> {
    const { managers, onError } = this.#options
    const isConnected = DATABASE_PLACES.every((place) => managers[place].isConnected())
    const reason = this.#schedule.look(isConnected)
    if (reason === undefined || signal.aborted) return
    try {
      const pass = this.run((reconciler) => reconciler.scheduled(reason === 'outage', signal))
      await unlessAborted(this.#options.context.env, signal, pass)
    } catch (error) {
      if (!signal.aborted) onError('reconcile', error)
    }
  }

  #pauseMs(): number {
    return backoffMs(this.#options.context.env, this.#failures++, RETRY)
  }

  /**
   * Of processes that died while they could not tell the cache of their writes. Whoever has the cache
   * voids all of it first. Who has none cannot know whether others do, and waits until nothing that
   * was cached then is likely to live.
   */
  async #dropCacheHints(): Promise<void> {
    const { context, formerWriters } = this.#options
    const { cache, env, monitor, places } = context
    const former = formerWriters()
    const afterMs = cache === undefined ? DAY_MS : HINT_FORGOTTEN_MS
    const dead = monitor.foreignHints().filter((hint) => {
      if (!isCacheHint(hint)) return false
      const isForgotten = this.#isForgotten(hint, afterMs)
      return isForgotten || (cache !== undefined && former.includes(raiserOf(hint)))
    })
    if (dead.length === 0) return
    try {
      await cache?.renewAll()
      await places.backup.call('removeHints', CURSOR_TIMEOUT_MS, (backend, options) =>
        backend.removeHints(dead, options),
      )
    } catch (error) {
      env.logger.debug({ error: messageOf(error) }, 'a hint about the cache has to stay')
    }
  }

  /**
   * A hint that nobody raises or removes for so long is one of a process that died, perhaps before
   * it could open its log and leave its name there; while it stands no read is content with the
   * primary. A pass is right in any case: it copies what the hint is about.
   */
  #isForgotten({ writer, count }: Hint, afterMs = HINT_FORGOTTEN_MS): boolean {
    const nowMs = this.#options.context.env.monotonic()
    const seen = this.#hints.get(writer)
    if (seen?.count === count) return nowMs - seen.sinceMs > afterMs
    this.#hints.set(writer, { count, sinceMs: nowMs })
    return false
  }

  #isDue(): boolean {
    const { context, formerWriters } = this.#options
    if (context.monitor.needsReconcile()) return true
    const former = formerWriters()
    const hints = context.monitor.foreignHints()
    const orphaned = hints
      .filter((hint) => !isCacheHint(hint))
      .some((hint) => this.#isForgotten(hint) || former.includes(hint.writer))
    for (const writer of this.#hints.keys()) {
      if (!hints.some((hint) => hint.writer === writer)) this.#hints.delete(writer)
    }
    // First the own log: what it still owes to the primary is what those hints are about.
    return orphaned && !context.log.owes('primary')
  }
}
