import { AwakeClock } from '../core/awake-clock.ts'
import { BackgroundLoop } from '../core/background-loop.ts'
import type { Hint, ReplicaState } from '../backend/replica-backend.ts'
import type { Env } from '../core/env.ts'
import { messageOf, StorageError } from '../core/errors.ts'
import { DATABASE_PLACES, type DatabasePlace } from '../core/places.ts'
import type { StampClock } from '../core/stamp.ts'
import { SharedFetch } from '../core/shared-fetch.ts'
import { sleep } from '../core/time.ts'
import type { WALManager } from '../wal/wal-manager.ts'
import { cacheHintOf, isCacheHint, raiserOf } from './cache/cache-hint.ts'
import { Clocks } from './clocks.ts'
import type { Place } from './place.ts'

/** How often the hints are fetched, always. */
const HINT_POLL_MS = 1_000
/** A cache is not believed by a list of hints that was fetched longer ago: its writers wait for that. */
export const HINTS_FRESH_MS = 2_000
/** A primary that has not answered a short call for so long is taken for out. Milliseconds. */
const PING_MS = 1_000
/** A primary that said who it is so short a time ago is not asked again. Milliseconds. */
const MET_MS = 100
/** How often a hint about the cache is raised again. */
const CACHE_HINT_MS = 10_000

/** What a monitor works with. */
export interface ReplicaMonitorOptions {
  readonly env: Env
  readonly clock: StampClock
  readonly log: WALManager
  readonly places: Readonly<Record<DatabasePlace, Place>>
  readonly timeoutMs: number
  readonly maxClockDriftMs: number
  /** A database's clock is off by more than that. */
  readonly onClockDisagrees: (place: DatabasePlace, aheadMs: number) => void
  /** True while this process cannot tell the cache of its writes: then that hint must stand. */
  readonly keepsHint: () => boolean
  /** A database came back as another one, or as an older version of itself. */
  readonly onReplicaChanged: (place: DatabasePlace, identity: string) => void
}

/**
 * What an answer of the primary alone is worth. `current`: it had everything. `ask-again`: it may have
 * lacked something as it answered, and lacks nothing by now. `lacking`: the backup may know more.
 */
export type PrimaryVerdict = 'current' | 'ask-again' | 'lacking'

interface Seen {
  readonly state: ReplicaState
  /** Monotonic time at which the call that fetched it began; and the same by the clock that counts sleep. */
  readonly fetchedAt: number
  readonly awakeAt: number
  /** When the call began that told the identity first. */
  readonly identityAt: number
}

interface Known {
  readonly cursor: number
  /** Monotonic time of the answer: calls that began before it may have been answered earlier. */
  readonly heardAt: number
}

/**
 * Knows what the two databases say about themselves: whose hints the backup holds, whether each is
 * still the database it was, and how far the primary's clock is from ours.
 */
export class ReplicaMonitor {
  readonly clocks: Clocks
  readonly #options: ReplicaMonitorOptions
  readonly #seen: Partial<Record<DatabasePlace, Seen>> = {}
  /** The greatest cursor of ours that each place has told of, and when. */
  readonly #cursors: Partial<Record<DatabasePlace, Known>> = {}
  /**
   * Places that lost data, or will never get what this process owed them, and since when: not complete on
   * their own until a full reconcile has ended that began later. Monotonic milliseconds.
   */
  readonly #suspect = new Map<DatabasePlace, number>()
  /** The backup lost our hint, if we had one. */
  #hintLost = false
  /** When our hint about the cache was raised last. Monotonic milliseconds. */
  #cacheHintAt = Number.NEGATIVE_INFINITY
  readonly #awake: AwakeClock
  readonly #background = new BackgroundLoop()
  readonly #hints = new SharedFetch(() => this.#fetchHints())
  readonly #pings = new SharedFetch(() => this.#ping())
  /** Monotonic time of the latest call that the primary answered with its identity. */
  #metAt = Number.NEGATIVE_INFINITY

  constructor(options: ReplicaMonitorOptions) {
    this.#options = options
    const { env, clock, maxClockDriftMs: maxDriftMs, onClockDisagrees: onDisagree } = options
    this.#awake = new AwakeClock(env)
    const places = DATABASE_PLACES.filter((place) => !options.places[place].isAbsent)
    this.clocks = new Clocks({ env, clock, maxDriftMs, places, onDisagree })
  }

  start(): void {
    this.#background.start((signal) => this.#loop(signal))
  }

  /** Takes our hint back if nothing is owed, so that nobody has to ask the backup for our sake. */
  async stop(): Promise<void> {
    await this.#background.stop()
    // A hint that was raised since the last look is not known yet.
    if (this.#options.places.backup.isUp()) await this.#poll()
  }

  /** A real round trip; also the probe of the health manager, which judges its outcome. */
  async probe(place: DatabasePlace): Promise<ReplicaState> {
    const { env, clock, places, timeoutMs } = this.#options
    const begun = { fetchedAt: env.monotonic(), awakeAt: this.#awake.now() }
    const state = await places[place].readState(clock.writerId, timeoutMs)
    this.#observe(place, state, begun)
    return state
  }

  /**
   * An identity that came with another answer, of a call that began at this monotonic time.
   *
   * @throws StorageError `UNAVAILABLE` when the answer is that of a database which has been replaced
   *   since: what it says it has is gone.
   */
  sawIdentity(place: DatabasePlace, identity: string, startedAt: number): void {
    if (place === 'primary') this.#metAt = Math.max(this.#metAt, startedAt)
    const seen = this.#seen[place]
    if (seen === undefined || seen.state.identity === identity) return
    if (startedAt < seen.identityAt) {
      throw new StorageError('UNAVAILABLE', `the ${place} was replaced since it answered`, {
        effect: 'unknown',
        place,
      })
    }
    this.#changed(place, identity)
    this.#seen[place] = { ...seen, state: { ...seen.state, identity }, identityAt: startedAt }
  }

  /** What the place last said, however long ago. */
  lastState(place: DatabasePlace): ReplicaState | undefined {
    return this.#seen[place]?.state
  }

  /** Writers other than this process that left a hint in the backup. */
  foreignHints(): readonly Hint[] {
    return this.#seen.backup?.state.hints.filter((hint) => !this.#isOwn(hint)) ?? []
  }

  /** True when the last list of hints is empty but for our own. It may be old: a guess, no promise. */
  isPrimaryCurrent(): boolean {
    // Without a backup nobody can write past the primary.
    if (this.#options.places.backup.isAbsent) return true
    return this.#seen.backup !== undefined && this.foreignHints().length === 0
  }

  /** Milliseconds since the last list of hints was asked for, also those that the machine slept. */
  hintsAgeMs(): number {
    return this.#awake.now() - (this.#seen.backup?.awakeAt ?? Number.NEGATIVE_INFINITY)
  }

  /**
   * Call it before the primary is asked; it tells what an answer of the primary alone is worth.
   *
   * Hints are fetched beside the primary, not before it. That none stands by then is not enough: one
   * that stood as the primary was asked may have been removed since. So it is compared with the list
   * before: of two empty ones with the same version no hint came and went in between.
   */
  async judgePrimary(): Promise<PrimaryVerdict> {
    const version = this.isPrimaryCurrent() ? this.#seen.backup?.state.hintVersion : undefined
    await this.refreshHints()
    if (!this.isPrimaryCurrent() || !this.isTrusted()) return 'lacking'
    const isSame = version !== undefined && version === this.#seen.backup?.state.hintVersion
    return isSame ? 'current' : 'ask-again'
  }

  /**
   * Fetches the hints anew. The list that is known then was asked for after this call began; calls
   * share a fetch that none of them began after.
   *
   * @throws StorageError when the backup does not answer in time.
   */
  async refreshHints(): Promise<void> {
    if (this.#options.places.backup.isAbsent) return
    await this.#hints.run()
  }

  /**
   * True while the two databases are known to have been equal once and to be the same still; without a
   * backup, while the primary is the one that it was.
   */
  isTrusted(): boolean {
    if (this.#suspect.size > 0) return false
    const primary = this.#seen.primary?.state
    const backup = this.#seen.backup?.state
    if (primary === undefined) return false
    if (this.#options.places.backup.isAbsent) return true
    if (backup === undefined) return false
    return backup.trusted === primary.identity && primary.trusted === backup.identity
  }

  /** True when one of them changed or they were never equal: a full reconcile is due. */
  needsReconcile(): boolean {
    const known = DATABASE_PLACES.every((place) => this.#seen[place] !== undefined)
    return known && !this.isTrusted()
  }

  /** The log lost what these places lack: a full reconcile alone can bring it. */
  lostOwed(places: readonly DatabasePlace[]): void {
    for (const place of places) this.#suspect.set(place, this.#options.env.monotonic())
  }

  /**
   * A full reconcile has ended that began at this monotonic time, and both databases have noted each other.
   */
  reconciled(identities: Readonly<Record<DatabasePlace, string>>, begunAt: number): void {
    for (const place of DATABASE_PLACES) {
      const seen = this.#seen[place]
      const other = place === 'primary' ? 'backup' : 'primary'
      if (seen?.state.identity !== identities[place]) continue
      if ((this.#suspect.get(place) ?? begunAt) <= begunAt) this.#suspect.delete(place)
      this.#seen[place] = { ...seen, state: { ...seen.state, trusted: identities[other] } }
    }
  }

  /**
   * True when the primary answers a short call now: then one that is late is late, and not lost. A
   * primary that does not answer is told to the health manager.
   */
  async isPrimaryAlive(): Promise<boolean> {
    return await this.#pings.run().then(
      () => true,
      () => false,
    )
  }

  /**
   * Asks the primary who it is, unless it has just said so: one that was replaced knows no id.
   *
   * @throws StorageError when it does not answer in time, as the health manager is told.
   */
  async meetPrimary(): Promise<void> {
    if (this.#options.env.monotonic() - this.#metAt < MET_MS) return
    await this.#pings.run()
  }

  async #ping(): Promise<void> {
    const { env, places } = this.#options
    const startedAt = env.monotonic()
    const { identity } = await places.primary.longCall('readHints', PING_MS, (backend, options) =>
      backend.readHints(options),
    )
    this.sawIdentity('primary', identity, startedAt)
  }

  async #fetchHints(): Promise<void> {
    const { env, places, timeoutMs } = this.#options
    if (this.#seen.backup === undefined) {
      await this.probe('backup')
      return
    }
    const [fetchedAt, awakeAt] = [env.monotonic(), this.#awake.now()]
    const list = await places.backup.longCall('readHints', timeoutMs, (backend, options) =>
      backend.readHints(options),
    )
    this.sawIdentity('backup', list.identity, fetchedAt)
    const seen = this.#seen.backup
    if (seen.fetchedAt > fetchedAt) return
    this.#seen.backup = { ...seen, fetchedAt, awakeAt, state: { ...seen.state, ...list } }
  }

  #observe(
    place: DatabasePlace,
    state: ReplicaState,
    { fetchedAt, awakeAt }: Pick<Seen, 'fetchedAt' | 'awakeAt'>,
  ): void {
    const { clock } = this.#options
    const before = this.#seen[place]
    if (before !== undefined && before.fetchedAt > fetchedAt) return
    const isOther = before !== undefined && before.state.identity !== state.identity
    if (isOther) {
      // Asked before the database was replaced, answered after.
      if (fetchedAt < before.identityAt) return
      this.#changed(place, state.identity)
    } else if (this.#isOlder(place, state.cursor, fetchedAt)) {
      // An older version of the same database: a dump was restored.
      this.#changed(place, state.identity)
    }
    this.#noteCursor(place, state.cursor)
    const identityAt = before === undefined || isOther ? fetchedAt : before.identityAt
    this.#seen[place] = { state, fetchedAt, awakeAt, identityAt }
    this.clocks.hear(place, state.nowMs, fetchedAt)
    clock.observe(state.head)
  }

  /** True when a cursor lies below one that was known before the call began that fetched it. */
  #isOlder(place: DatabasePlace, cursor: number | undefined, fetchedAt: number): boolean {
    const known = this.#cursors[place]
    return known !== undefined && (cursor ?? 0) < known.cursor && fetchedAt > known.heardAt
  }

  #noteCursor(place: DatabasePlace, cursor = 0): void {
    if (cursor <= (this.#cursors[place]?.cursor ?? 0)) return
    this.#cursors[place] = { cursor, heardAt: this.#options.env.monotonic() }
  }

  /**
   * Compares the clocks of the databases that can be reached now.
   *
   * @throws StorageError `UNAVAILABLE` that names the clocks, unless they and our own agree.
   */
  async checkClocks(work: string): Promise<void> {
    const up = DATABASE_PLACES.filter((place) => this.#options.places[place].isUp())
    await Promise.allSettled(up.map((place) => this.probe(place)))
    this.clocks.check(work)
  }

  #changed(place: DatabasePlace, identity: string): void {
    this.#suspect.set(place, this.#options.env.monotonic())
    delete this.#cursors[place]
    if (place === 'backup') this.#hintLost = true
    this.#options.log.resend(place)
    this.#options.onReplicaChanged(place, identity)
  }

  async #loop(signal: AbortSignal): Promise<void> {
    const { env, log } = this.#options
    while (!signal.aborted) {
      await this.#poll()
      if (log.owes('primary') && this.#options.places.primary.isUp()) log.wake('primary')
      await sleep(env, HINT_POLL_MS, signal)
    }
  }

  async #poll(): Promise<void> {
    if (this.#options.places.backup.isAbsent) return
    try {
      const { hints } = await this.probe('backup')
      if (this.#hintLost) await this.#raiseHintAgain()
      await this.#keepCacheHint(hints)
      await this.#removeOwnHint(hints)
    } catch (error) {
      // Told to the health manager already; reads know that the list is old.
      this.#options.env.logger.debug({ error: messageOf(error) }, 'hints could not be fetched')
    }
  }

  /** What we owe to the primary is in the new backup too, once it was sent again. */
  async #raiseHintAgain(): Promise<void> {
    const { clock, places, timeoutMs } = this.#options
    this.#hintLost = false
    try {
      await places.backup.apply([], { hint: clock.writerId, timeoutMs })
    } catch (error) {
      this.#hintLost = true
      throw error
    }
  }

  /** Whoever raises its hint lives: one that nobody raises for long is taken away by others. */
  async #keepCacheHint(hints: readonly Hint[]): Promise<void> {
    const { env, clock, places, timeoutMs, keepsHint } = this.#options
    if (!keepsHint()) return
    const hint = cacheHintOf(clock.writerId)
    const stands = hints.some(({ writer }) => writer === hint)
    if (stands && env.monotonic() - this.#cacheHintAt < CACHE_HINT_MS) return
    await places.backup.apply([], { hint, timeoutMs })
    this.#cacheHintAt = env.monotonic()
  }

  #isOwn(hint: Hint): boolean {
    return raiserOf(hint) === this.#options.clock.writerId
  }

  /**
   * Takes our hints back. The list was fetched before we look whether anything is owed: a hint that
   * was raised in between has another count, and stays. So does what a place will never get from us:
   * until a full reconcile has brought it, other processes have to ask the backup as well.
   */
  async #removeOwnHint(hints: readonly Hint[]): Promise<void> {
    const { env, log, places, timeoutMs, keepsHint } = this.#options
    const owes = log.owes('primary') || this.#suspect.has('primary')
    const own = hints.filter(
      (hint) => this.#isOwn(hint) && (isCacheHint(hint) ? !keepsHint() : !owes),
    )
    if (own.length === 0) return
    await env.failpoints.hit('hint.beforeRemove')
    await places.backup.call('removeHints', timeoutMs, (backend, options) =>
      backend.removeHints(own, options),
    )
  }
}
