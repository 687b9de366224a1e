import { absent } from '../backend/absent-database.ts'
import { Emitter } from '../core/emitter.ts'
import { messageOf, StorageError } from '../core/errors.ts'
import { DATABASE_PLACES, type DatabasePlace, type PlaceName } from '../core/places.ts'
import { KeepAlive } from '../core/keep-alive.ts'
import { StampClock, type Stamp } from '../core/stamp.ts'
import { sleep, withDeadline } from '../core/time.ts'
import type { HealthManager } from '../health/health-manager.ts'
import type { StoreContext, StoreNotice } from '../strategy/context.ts'
import { AbsentPlace } from '../strategy/absent-place.ts'
import { Place } from '../strategy/place.ts'
import { ReplicaMonitor } from '../strategy/replica-monitor.ts'
import { KnownIds } from '../strategy/known-ids.ts'
import { SeenTombstones } from '../strategy/seen-tombstones.ts'
import type { ReconcileReport } from '../sync/reconcile-report.ts'
import { Reconciler, type PassOptions } from '../sync/reconciler.ts'
import { WALManager } from '../wal/wal-manager.ts'
import type { CacheUse } from '../strategy/read/read-port.ts'
import { makeSharedCache } from './make-shared-cache.ts'
import type { ResolvedStorageConfig, PlaceManagers } from './config.ts'
import { Maintenance } from './maintenance.ts'
import { PlaceNews, type WatchedPlace } from './place-news.ts'
import { startError, type StartFailure } from './start-outcome.ts'
import type { StoreEvents } from './store-events.ts'

/** A cache that this process only invalidates. */
const WRITE_ONLY_CACHE: CacheUse = {
  singleProcess: false,
  timeoutMs: 100,
  localEntries: 0,
  ttlSeconds: 1,
}
/** How often `disconnect` looks whether calls in flight have ended. */
const DRAIN_TICK_MS = 5

/**
 * The life of a store: what is made, started, kept going and stopped, and in which order. It knows
 * nothing of keys and values.
 */
export class StoreCore {
  readonly events: Emitter<StoreEvents>
  readonly context: StoreContext
  readonly managers: PlaceManagers
  readonly reconciler: Reconciler
  lastReconcile: ReconcileReport | undefined
  /** Damaged rows that reads of this process met. */
  readonly damaged: Record<DatabasePlace, number> = { primary: 0, backup: 0 }
  readonly #config: ResolvedStorageConfig
  readonly #maintenance: Maintenance
  readonly #tick = (key: string): Stamp => this.context.clock.tick(key)
  /** The log is this store's until it disconnects. */
  #hasLog = false
  #logOpen = false
  #openingLog: Promise<void> | undefined
  /** Why the log is not open; undefined once it is. */
  #logError: string | undefined
  readonly #news: PlaceNews
  #state: 'new' | 'open' | 'closing' | 'closed' = 'new'
  /** For what a caller waits for outside of `run`. */
  readonly alive: KeepAlive
  #inFlight = 0

  constructor(
    config: ResolvedStorageConfig,
    health: HealthManager,
    log: WALManager | undefined,
    cacheUse: CacheUse | undefined,
  ) {
    const { env, managers } = config
    this.#config = config
    this.alive = KeepAlive.of(env)
    this.managers = managers
    this.events = new Emitter((error) =>
      env.logger.error({ error: messageOf(error) }, 'an event listener threw'),
    )
    this.context = this.#makeContext(health, log ?? new WALManager(env, undefined), cacheUse)
    this.#news = new PlaceNews(env, this.#watched())
    this.reconciler = new Reconciler(this.context, config.reconcile)
    this.#maintenance = new Maintenance({
      context: this.context,
      reconciler: this.reconciler,
      reconcile: config.reconcile,
      managers: this.managers,
      formerWriters: () => this.context.log.formerWriters(),
      openLog: () => this.#openLog(),
      onReconciled: (report) => {
        this.lastReconcile = report
        this.events.emit('reconciled', report)
      },
      onError: (...failure) => this.report(...failure),
    })
  }

  /**
   * Starts as long as one durable place is there; what is away is reported and tried again.
   *
   * @throws StorageConnectionError when no place can be used, `CORRUPT` when the log is damaged: to
   * go on without its entries would lose them silently.
   */
  async connect(): Promise<void> {
    await this.alive.during(() => this.#connect())
  }

  async #connect(): Promise<void> {
    if (this.#state === 'open') return
    if (this.#state === 'closed') throw new StorageError('CLOSED', 'the store was disconnected')
    this.context.log.take(this.#tick)
    this.#hasLog = true
    const cached = this.#attempt('cache connect', async () => {
      await this.managers.cache?.connect()
    })
    const outcomes = await Promise.all([
      this.#start('wal', 'wal open', () => this.#openLog()),
      ...DATABASE_PLACES.map((place) =>
        this.#start(place, `${place} connect`, () => this.#connectPlace(place)),
      ),
    ])
    await cached
    const failures = outcomes.filter((failure) => failure !== undefined)
    await this.#checkUsable(failures)
    this.#news.opened(failures)
    const { log, monitor, health } = this.context
    await this.#trustIfNew()
    this.#state = 'open'
    monitor.start()
    health.startHealthCheck(async (place) => {
      try {
        if (!this.context.places[place].isAbsent) await monitor.probe(place)
      } finally {
        this.#news.look()
      }
    })
    log.startFlushWorker({
      isReady: (place) => {
        const { isAbsent } = this.context.places[place]
        return isAbsent || this.context.places[place].isHealthy()
      },
      apply: (place, operations, lsn) => this.#flush(place, operations, lsn),
    })
    this.#maintenance.start()
  }

  /** Drains, then lets go of everything. What a place could not take stays in the log. */
  async disconnect(): Promise<void> {
    await this.alive.during(() => this.#disconnect())
  }

  async #disconnect(): Promise<void> {
    if (this.#state === 'closed' || this.#state === 'closing') return
    const started = this.#state === 'open'
    this.#state = 'closing'
    const { env, log, monitor, health, cache } = this.context
    const until = env.monotonic() + this.#config.drainTimeoutMs
    while (this.#inFlight > 0 && env.monotonic() < until) await sleep(env, DRAIN_TICK_MS)
    if (started) {
      await this.#maintenance.stop()
      await log.stopFlushWorker(Math.max(0, until - env.monotonic()))
      await health.stopHealthCheck()
      await cache?.stop()
      await monitor.stop()
    }
    const { owedGroups } = log.getStats()
    if (owedGroups > 0) {
      env.logger.error(
        { owedGroups },
        'the log is out: some databases lack writes that only memory has',
      )
    }
    await this.#closeLog()
    await this.#disconnectManagers()
    this.#state = 'closed'
  }

  async #disconnectManagers(): Promise<void> {
    const { primary, backup, cache } = this.managers
    await Promise.all([primary, backup, cache].map(async (manager) => await manager?.disconnect()))
  }

  /** True from `connect` to `disconnect`. */
  get isOpen(): boolean {
    return this.#state === 'open'
  }

  /** Runs a call of the store: refused unless it is open, and waited for when it closes. */
  async run<T>(call: () => Promise<T>): Promise<T> {
    if (this.#state !== 'open') {
      const why = this.#state === 'new' ? 'is not connected yet' : 'is closed'
      throw new StorageError('CLOSED', `the store ${why}`)
    }
    this.#inFlight++
    this.alive.begin()
    try {
      return await call()
    } finally {
      this.alive.end()
      this.#inFlight--
    }
  }

  /** @throws StorageError `UNSUPPORTED` where there is no backup to compare with. */
  checkBackup(): void {
    if (!this.#config.hasBackup) throw absent()
  }

  /** A pass with options of its own waits for those before it; a plain one is shared. */
  async reconcile(options?: PassOptions): Promise<ReconcileReport> {
    this.checkBackup()
    return options === undefined
      ? await this.#maintenance.reconcile()
      : await this.#maintenance.run((reconciler) => reconciler.reconcile(options))
  }

  async repair(options?: PassOptions): Promise<ReconcileReport> {
    this.checkBackup()
    return await this.#maintenance.run((reconciler) => reconciler.repair(options))
  }

  #makeContext(
    health: HealthManager,
    log: WALManager,
    cacheUse: CacheUse | undefined,
  ): StoreContext {
    const { env, maxClockDriftMs, probeTimeoutMs } = this.#config
    const clock = new StampClock({
      now: () => env.now(),
      writer: env.randomBytes(8),
      maxDriftMs: maxClockDriftMs,
      onDrift: (aheadMs, key) => this.#notice({ kind: 'clock-drift', aheadMs, key }),
    })
    const makePlace = this.#config.hasBackup ? Place : AbsentPlace
    const places = {
      primary: new Place(env, 'primary', this.managers.primary.getHandles().database, health),
      backup: new makePlace(env, 'backup', this.managers.backup.getHandles().database, health),
    }
    const manager = this.managers.cache ?? this.managers.primary
    // Whoever writes beside a shared cache renews what others read from it, if it reads it or not.
    const isShared = manager.getInfo().backends.cache.type !== 'in-memory'
    const use = cacheUse ?? (isShared ? WRITE_ONLY_CACHE : undefined)
    const cache =
      use === undefined ? undefined : makeSharedCache({ env, manager, use, places, clock })
    const monitor = new ReplicaMonitor({
      env,
      clock,
      log,
      places,
      timeoutMs: probeTimeoutMs,
      maxClockDriftMs,
      onClockDisagrees: (place, aheadMs) =>
        this.#notice({ kind: 'clock-disagrees', place, aheadMs }),
      keepsHint: () => use?.singleProcess !== true && cache?.owes() === true,
      onReplicaChanged: (place, identity) =>
        this.#notice({ kind: 'replica-changed', place, identity }),
    })
    health.on?.('change', (event) => {
      this.events.emit('health', event)
      if (event.healthy) log.wake(event.place)
    })
    const tombstones = new SeenTombstones()
    const known = new KnownIds(tombstones)
    const notify = (notice: StoreNotice): void => this.#notice(notice)
    return { env, clock, log, health, places, monitor, tombstones, known, cache, notify }
  }

  /** A disk that hangs holds up the start for a while only; the log is waited for again later. */
  async #openLog(): Promise<void> {
    const { env, log, clock } = this.context
    if (this.#logOpen || !log.hasLog()) return
    this.#openingLog ??= log
      .open(clock.writerId, (places) => this.context.monitor.lostOwed(places))
      .then(async ({ ceilingMs, head }) => {
        // It was long in coming, and nobody is there any more.
        if (!this.#hasLog) return await log.close()
        this.#logOpen = true
        const aheadMs = ceilingMs - clock.now()
        if (aheadMs > this.#config.maxClockDriftMs) {
          env.logger.warn({ aheadMs }, 'the log was written with a clock far ahead of this one')
        }
        clock.observeMs(ceilingMs)
        clock.observe(head)
      })
      .finally(() => (this.#openingLog = undefined))
    const options = { place: 'wal', effect: 'none' } as const
    const { logOpenMs } = this.#config
    try {
      await withDeadline(env, logOpenMs, 'opening the log', this.#openingLog, options)
      this.#logError = undefined
    } catch (error) {
      this.#logError = messageOf(error)
      throw error
    }
  }

  /** One that is still being opened is closed as soon as it is open: nobody else could have its entries. */
  async #closeLog(): Promise<void> {
    // Another store may have it.
    if (!this.#hasLog) return
    this.#hasLog = this.#logOpen = false
    await this.context.log.close()
  }

  /** Why the log is not open, where it should be. */
  get logError(): string | undefined {
    return this.#logOpen ? undefined : this.#logError
  }

  /** A save was acknowledged by one place, although the strategy wants more. */
  warnOfOneCopy(copies: readonly PlaceName[]): void {
    this.#news.oneCopy(copies)
  }

  #watched(): Partial<Record<PlaceName, WatchedPlace>> {
    const { places, log, health } = this.context
    const database = (place: DatabasePlace): WatchedPlace => ({
      title: `the ${place}`,
      isConnected: () => this.managers[place].isConnected(),
      isUp: () => places[place].isUp(),
      reason: () =>
        this.managers[place].getInfo().backends.database.lastError ??
        health.getHealthStats(place).lastFailure?.message,
    })
    const wal: WatchedPlace = {
      title: 'the log',
      isConnected: () => this.#logOpen,
      isUp: () => log.isUp(),
      reason: () => log.getStats().log?.lastError,
    }
    return {
      primary: database('primary'),
      ...(this.#config.hasBackup && { backup: database('backup') }),
      ...(log.hasLog() && { wal }),
    }
  }

  async #connectPlace(place: DatabasePlace): Promise<void> {
    if (this.context.places[place].isAbsent) return
    await this.managers[place].connect()
    // Observes its greatest stamp: what is written from here on comes after it.
    await this.context.monitor.probe(place)
  }

  async #attempt(task: string, run: () => Promise<void>): Promise<void> {
    try {
      await run()
    } catch (error) {
      this.report(task, error)
    }
  }

  /** The first attempt to reach a place; what it failed of. */
  async #start(
    place: PlaceName,
    task: string,
    run: () => Promise<void>,
  ): Promise<StartFailure | undefined> {
    try {
      await run()
      return undefined
    } catch (error) {
      this.events.emit('error', { task, error })
      return { place, error }
    }
  }

  async #checkUsable(failures: readonly StartFailure[]): Promise<void> {
    const reached = DATABASE_PLACES.filter(
      (place) =>
        !this.context.places[place].isAbsent &&
        !failures.some((failure) => failure.place === place),
    )
    const isDurable =
      reached.some((place) => this.context.places[place].isDurable()) ||
      (this.#logOpen && this.context.log.isDurable())
    const nothingDurable = !failures.some(({ place }) => place !== 'wal')
    const error = startError(
      {
        failures,
        isUsable: isDurable || (reached.length > 0 && nothingDurable),
        hasDatabase: reached.length > 0,
      },
      this.#config.allowDegradedStart,
    )
    if (error === undefined) return
    await this.#closeLog()
    await this.#disconnectManagers()
    throw error
  }

  /** Two databases that were just made hold the same: nothing. */
  async #trustIfNew(): Promise<void> {
    const { monitor } = this.context
    const primary = monitor.lastState('primary')
    const backup = monitor.lastState('backup')
    if (primary === undefined || backup === undefined) return
    const untouched = [primary, backup].every(
      ({ head, trusted }) => head === undefined && trusted === undefined,
    )
    if (!untouched || this.#config.reconcile.when === 'on-demand') return
    await this.#attempt('reconcile', async () => {
      await this.#maintenance.run((reconciler) => reconciler.reconcileIfFree())
    })
  }

  async #flush(
    place: DatabasePlace,
    operations: Parameters<Place['apply']>[0],
    lsn: number,
  ): Promise<void> {
    const { env, clock, places, monitor } = this.context
    const startedAt = env.monotonic()
    const { identity } = await places[place].flush(operations, {
      timeoutMs: this.#config.probeTimeoutMs * 5,
      cursor: { writer: clock.writerId, lsn },
    })
    monitor.sawIdentity(place, identity, startedAt)
    // Before the log lets go of them: until then readers lay them over what the place says.
    if (place === 'primary') await this.context.cache?.changed(operations.map(({ key }) => key))
  }

  #notice(notice: StoreNotice): void {
    switch (notice.kind) {
      case 'conflict':
        this.events.emit('conflict', { key: notice.key, id: notice.id })
        return
      case 'replica-changed':
        this.events.emit('replica-changed', { place: notice.place, identity: notice.identity })
        return
      case 'clock-drift':
        this.events.emit('clock-drift', { key: notice.key, aheadMs: notice.aheadMs })
        return
      case 'damaged': {
        const { place, key, repaired } = notice
        this.damaged[place]++
        this.events.emit('damaged', { place, key, repaired })
        return
      }
      case 'clock-disagrees':
        this.events.emit('clock-disagrees', { place: notice.place, aheadMs: notice.aheadMs })
        return
      case 'degraded-write':
        this.events.emit('degraded', { copies: notice.copies })
        return
    }
  }

  /** Tells the logger and the listeners of a failure in the background. */
  report(task: string, error: unknown, level: 'debug' | 'warn' = 'warn'): void {
    this.context.env.logger[level]({ task, error: messageOf(error) }, 'a background task failed')
    this.events.emit('error', { task, error })
  }
}
