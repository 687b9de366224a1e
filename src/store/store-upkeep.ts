import { awakeSleep } from '../core/keep-alive.ts'
import { checkInteger, checkOneOf, checkPrefix, KEY_BYTES_MAX } from '../core/limits.ts'
import type { DatabasePlace } from '../core/places.ts'
import type { Stamp } from '../core/stamp.ts'
import { DAY_MS } from '../core/time.ts'
import type { StorageBackends } from '../manager/storage-manager.ts'
import type { ReconcileReport } from '../sync/reconcile-report.ts'
import type { PassOptions, VerifyOptions } from '../sync/reconciler.ts'
import type { RefusedEntry } from '../wal/wal.ts'
import { BulkStore } from './bulk/bulk-store.ts'
import {
  checkedPassOptions,
  checkedVerifyOptions,
  checkKey,
  checkStamp,
  checkTargets,
} from './check-arguments.ts'
import type { PlaceManagers } from './config.ts'
import type { EraseReceipt } from './erase/erase-receipt.ts'
import type { EraseBeside, EraseScope } from './erase/erasure-record.ts'
import type { Erasures } from './erase/erasures.ts'
import { placesWithTombstone } from './places-with-tombstone.ts'
import type { StoreCore } from './store-core.ts'

const PLACES = ['primary', 'backup', 'cache']

/** Calls of a store about its places, its log and its clocks: what an operator, or a pass, asks for. */
export abstract class StoreUpkeep extends BulkStore {
  /** @internal */
  protected abstract get core(): StoreCore
  /** @internal */
  protected abstract get erasures(): Erasures

  /**
   * Compares the clocks of this process and of the databases that can be reached. `known`: by what they
   * said last, without asking them.
   *
   * @throws StorageError `UNAVAILABLE` that names the clocks, unless they agree to `maxClockDriftMs`.
   */
  async checkClocks(work: string, which: 'asked' | 'known' = 'asked'): Promise<void> {
    const { monitor } = this.core.context
    if (which === 'known') monitor.clocks.check(work)
    else await this.core.run(() => monitor.checkClocks(work))
  }

  /**
   * Makes later writes follow this stamp, and later reads be judged by a list of hints that is
   * fetched now, whatever `maxHintAge` would allow.
   *
   * @throws StorageError when the backup, which keeps the hints, does not answer.
   */
  async follow(stamp: Stamp): Promise<void> {
    checkStamp('stamp', stamp)
    const { clock, monitor } = this.core.context
    clock.observe(stamp)
    await this.core.run(() => monitor.refreshHints())
  }

  /** Waits on the store's own clock, or until the signal aborts. */
  async pause(ms: number, signal?: AbortSignal): Promise<void> {
    checkInteger('ms', ms, 0, DAY_MS)
    await awakeSleep(this.core.context.env, ms, signal)
  }

  /** Resolves when both databases have all that was pending at the call. */
  async flushWAL(deadlineMs = 30_000): Promise<void> {
    checkInteger('deadlineMs', deadlineMs, 0, DAY_MS)
    await this.core.run(() => this.core.context.log.flush(deadlineMs))
  }

  /**
   * Waits until both databases have this clear, at most `deadlineMs`, and returns those that do:
   * they were asked.
   */
  async waitUntilCleared(
    key: string,
    stamp: Stamp,
    deadlineMs = 30_000,
  ): Promise<readonly DatabasePlace[]> {
    checkKey(key)
    checkStamp('stamp', stamp)
    checkInteger('deadlineMs', deadlineMs, 0, DAY_MS)
    const { context } = this.core
    return await this.core.run(async () => {
      // A place that stays away is in the answer by its absence.
      await context.log.flush(deadlineMs).catch(() => {})
      return await placesWithTombstone(context, key, stamp)
    })
  }

  /**
   * What databases refused for good, why, and which keys it is about: of a log in files its own entries,
   * of a shared log those of all processes; at most 1,000 of each place and partition.
   */
  async listQuarantined(): Promise<readonly RefusedEntry[]> {
    return await this.core.run(() => this.core.context.log.refused())
  }

  /**
   * Sends once more what a database had refused for good, when its cause is mended; resolves with how
   * many entries: of a log in files its own, of a shared log those of all processes. What is refused
   * again is set aside again.
   *
   * @throws StorageError `UNAVAILABLE` when a shared log cannot be reached.
   */
  async retryQuarantined(): Promise<number> {
    return await this.core.run(() => this.core.context.log.retryQuarantined())
  }

  /**
   * Clears keys, or every key that begins with one of the prefixes, and takes the payloads out of the log, the
   * caches and the free space of the engines. Waits at most `deadlineMs` and goes on by itself. With it go the keys
   * that begin with a prefix of `within`; items `left` in other lists are removed as it begins.
   */
  async erase(
    scope: EraseScope,
    target: string | readonly string[],
    deadlineMs = 30_000,
    { left = [], within = [] }: EraseBeside = {},
  ): Promise<EraseReceipt> {
    const [first = '', ...also] = checkTargets(scope, target)
    for (const prefix of within) checkPrefix('within', prefix, KEY_BYTES_MAX)
    checkInteger('deadlineMs', deadlineMs, 0, DAY_MS)
    const targets = { scope, target: first, also, within }
    return await this.core.alive.during(() => this.erasures.erase(targets, deadlineMs, left))
  }

  /** Erases of the last 30 days whose targets begin with this, the oldest first. */
  async listErasures(targetPrefix: string): Promise<readonly EraseReceipt[]> {
    checkPrefix('targetPrefix', targetPrefix, KEY_BYTES_MAX)
    return await this.core.run(() => this.erasures.list(targetPrefix))
  }

  /** Removes applied entries older than a time (Unix ms, default a day ago), never one that a place lacks. Tells how many. */
  async cleanupWAL(
    beforeTimestamp: number = this.core.context.clock.now() - DAY_MS,
  ): Promise<number> {
    checkInteger('beforeTimestamp', beforeTimestamp, 0, Number.MAX_SAFE_INTEGER)
    return await this.core.context.log.cleanup(beforeTimestamp)
  }

  /**
   * Compares both databases and copies what either lacks. One process does it at a time.
   *
   * @throws StorageError `UNAVAILABLE` when a place is out or another process has been at it for long.
   */
  async reconcile(given?: PassOptions): Promise<ReconcileReport> {
    const options = checkedPassOptions(given)
    return await this.core.run(() => this.core.reconcile(options))
  }

  /** Compares without writing. With `deep` every value is compared with its digest, too. */
  async verify(given?: VerifyOptions): Promise<ReconcileReport> {
    const options = checkedVerifyOptions(given)
    return await this.core.run(async () => {
      this.core.checkBackup()
      return await this.core.reconciler.verify(options)
    })
  }

  /** Writes the intact values of the other database over damaged ones, and reconciles. */
  async repair(given?: PassOptions): Promise<ReconcileReport> {
    const options = checkedPassOptions(given)
    return await this.core.run(() => this.core.repair(options))
  }

  /** False where primary and log are the two places. */
  hasBackup(): boolean {
    return !this.core.context.places.backup.isAbsent
  }

  /** One manager for each database, and one for the cache where the configuration has one. */
  getStorageManagers(): PlaceManagers {
    return this.core.managers
  }

  /** The engines of a place; null while it is not connected. Writing to them goes past the log. */
  getBackends(place: 'primary' | 'backup' | 'cache' = 'primary'): StorageBackends | null {
    checkOneOf('place', place, PLACES)
    return this.core.managers[place]?.getBackends() ?? null
  }
}
