import type { KeyQuery, LatestQuery } from '../backend/replica-backend.ts'
import type { ValueCipher } from '../core/encryption/value-cipher.ts'
import type { Env } from '../core/env.ts'
import type { JsonText } from '../core/json.ts'
import { awakeSleep } from '../core/keep-alive.ts'
import {
  checkArray,
  checkFunction,
  checkInteger,
  checkOneOf,
  checkPrefix,
  KEY_BYTES_MAX,
} from '../core/limits.ts'
import type { Item } from '../core/merge.ts'
import type { Operation } from '../core/operation.ts'
import type { DatabasePlace } from '../core/places.ts'
import type { Stamp } from '../core/stamp.ts'
import { resolve } from '../core/options.ts'
import { DAY_MS } from '../core/time.ts'
import { guardedHealth } from '../health/guarded-health.ts'
import type { HealthManager } from '../health/health-manager.ts'
import type { StorageBackends } from '../manager/storage-manager.ts'
import { innerStrategies } from '../strategy/inner-strategies.ts'
import type {
  CountedRead,
  FoundRead,
  ItemsQuery,
  ItemsRead,
  ItemsSearch,
  KeysRead,
  LatestRead,
  ReadPort,
} from '../strategy/read/read-port.ts'
import type { ReadStrategy } from '../strategy/read/read-strategy.ts'
import { searchCall } from '../strategy/read/search-call.ts'
import { readPortOf } from '../strategy/read/simple-read-port.ts'
import { rememberStore } from '../strategy/store-calls.ts'
import { writePortOf } from '../strategy/write/simple-write-port.ts'
import { announced, type WriteListener } from '../strategy/write/announced.ts'
import type { WriteGroup, WriteOutcome, WritePort } from '../strategy/write/write-port.ts'
import type { WriteStrategy } from '../strategy/write/write-strategy.ts'
import type { ReconcileReport } from '../sync/reconcile-report.ts'
import type { PassOptions, VerifyOptions } from '../sync/reconciler.ts'
import { defaultLog, tellOfDefaultLog } from '../wal/default-log.ts'
import type { RefusedEntry } from '../wal/wal.ts'
import type { WALManager } from '../wal/wal-manager.ts'
import { resolveStorageConfig, type PlaceManagers, type StrategicStorageConfig } from './config.ts'
import { Erasures } from './erase/erasures.ts'
import type { EraseReceipt } from './erase/erase-receipt.ts'
import type { EraseBeside, EraseScope } from './erase/erasure-record.ts'
import {
  checkIds,
  checkedItemsQuery,
  checkKey,
  checkedKeysQuery,
  checkedItemsSearch,
  checkedLatestQuery,
  checkedPassOptions,
  checkedVerifyOptions,
  checkOperations,
  checkStamp,
  HEALTH_MANAGER,
  WAL_MANAGER,
  checkTargets,
} from './check-arguments.ts'
import type { Change, ChangesOptions, ChangesOutcome, Entry } from './changes/change.ts'
import { ConditionalWrites } from './changes/conditional-writes.ts'
import { BulkCalls, COUNT, SET_VALUE } from './bulk/bulk-calls.ts'
import { BulkStore, type BulkStoreParts } from './bulk/bulk-store.ts'
import type { CountOptions, SetOptions } from './bulk/bulk-types.ts'
import { ExpiryPass } from './expiry/expiry-pass.ts'
import { LiveReads } from './expiry/live-reads.ts'
import { KeyLeases } from './key-lease.ts'
import { Groups, type StoreGroups } from './groups.ts'
import { Lists, type AppendOutcome } from './lists.ts'
import type { Entries, NewItem } from './new-values.ts'
import { placesWithTombstone } from './places-with-tombstone.ts'
import { decodeItems } from './rescue.ts'
import { statusOf, type StoreHealth, type StoreStatus } from './status.ts'
import { StoreCore } from './store-core.ts'
import { checkEvent, type StoreEvents } from './store-events.ts'
import { Values } from './values.ts'

const PLACES = ['primary', 'backup', 'cache']

/** Values, lists and their items in two databases and a log, through exchangeable strategies. */
export class StrategicStorageManager extends BulkStore implements AsyncDisposable {
  readonly #core: StoreCore
  readonly #read: ReadPort
  /** The same with what has expired. */
  readonly #storedRead: ReadPort
  readonly #write: WritePort
  readonly #values: Values
  readonly #lists: Lists
  readonly #changes: ConditionalWrites
  readonly #groups: Groups
  readonly #erasures: Erasures
  readonly #bulk: BulkStoreParts
  readonly #cipher: ValueCipher
  readonly #writes = new Set<WriteListener>()

  /**
   * Without a `walManager` a write strategy that needs a log has one in files at `./data/wal`. Strategies of
   * the application's own need nothing but `execute`: see `ReadStrategy` and `WriteStrategy`.
   *
   * @throws StorageError `INVALID_ARGUMENT` that names the field.
   */
  constructor(
    config: StrategicStorageConfig,
    readStrategy: ReadStrategy | ReadPort,
    writeStrategy: WriteStrategy | WritePort,
    healthManager: HealthManager,
    walManager?: WALManager,
  ) {
    super()
    const resolved = resolveStorageConfig(config)
    HEALTH_MANAGER.check('healthManager', healthManager)
    if (walManager !== undefined) WAL_MANAGER.check('walManager', walManager)
    const { env, cipher, hasBackup } = resolved
    const { backup, ...others } = resolved.managers
    const managers = hasBackup ? { ...others, backup } : others
    this.#cipher = cipher
    const read = readPortOf(readStrategy, managers)
    this.#storedRead = read
    this.#read = new LiveReads(read)
    this.#write = announced(writePortOf(writeStrategy, managers), this.#writes)
    const needsLog = this.#write.needsLog || !hasBackup
    const log = walManager ?? (needsLog ? defaultLog(env, env.logger) : undefined)
    if (log !== undefined) tellOfDefaultLog(log, env.logger)
    log?.encryptWith(cipher)
    const health = guardedHealth(env, healthManager)
    this.#core = new StoreCore(resolved, health, log, read.cacheUse)
    if (this.#write.name !== 'wal-first') {
      // With that strategy it is no more than what was asked for.
      this.#core.events.on('degraded', ({ copies }) => this.#core.warnOfOneCopy(copies))
    }
    this.#values = new Values(this.#core)
    this.#lists = new Lists(this.#core, this.#values, this.#write)
    this.#changes = new ConditionalWrites(this.#core, this.#values, read, this.#write)
    rememberStore(managers, {
      get: (strategy, key) => this.#values.get(new LiveReads(strategy), key),
      set: (strategy, key, given) => this.#values.set(strategy, key, given),
    })
    this.#groups = new Groups(this.#core, this.#values, this.#write)
    const { context } = this.#core
    const inner = innerStrategies(read, this.#write, context.log)
    const upkeep = {
      context,
      read: inner.read,
      write: (group: WriteGroup) => this.#core.run(() => inner.write.write(context, group)),
    }
    const bulk = { core: this.#core, read: this.#read, write: this.#write, values: this.#values }
    this.#bulk = {
      calls: new BulkCalls(bulk),
      expiry: new ExpiryPass({ ...upkeep, run: (work) => this.#core.run(work) }),
      leases: new KeyLeases(this.#core),
      valuesOnly: read.valuesOnly === true,
    }
    this.#erasures = new Erasures({
      ...upkeep,
      purge: (place) => this.#core.managers[place].getHandles().database.purge!(),
      onError: (task, error) => this.#core.report(task, error),
    })
  }

  /** Starts as long as one durable place is there; the others are connected when they come back. */
  async connect(): Promise<void> {
    await this.#core.alive.during(async () => {
      // Without keys nothing may be written: not even to the log.
      await this.#cipher.ready()
      await this.#core.connect()
      this.#erasures.start()
      this.#bulk.expiry.start()
    })
  }

  /** Waits for calls in flight, drains what is pending up to `drainTimeout`, then disconnects. */
  async disconnect(): Promise<void> {
    await this.#core.alive.during(async () => {
      await Promise.all([this.#erasures.stop(), this.#bulk.expiry.stop()])
      await this.#core.disconnect()
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.disconnect()
  }

  /** Adds a listener and returns the function that removes it. */
  on<Name extends keyof StoreEvents>(
    name: Name,
    listener: (event: StoreEvents[Name]) => void,
  ): () => void {
    checkEvent(name)
    checkFunction('listener', listener)
    return this.#core.events.on(name, listener)
  }

  /** @internal */
  protected override get bulk(): BulkStoreParts {
    return this.#bulk
  }

  /**
   * Adds a listener for what this store writes, told with the operations as they were acknowledged, before the
   * call that wrote them resolves. It must not throw. Returns the function that removes it.
   */
  onWrite(listener: WriteListener): () => void {
    checkFunction('listener', listener)
    this.#writes.add(listener)
    return () => this.#writes.delete(listener)
  }

  // ---- values

  /** The value, or undefined when a place answers that there is none. */
  async get<T>(key: string): Promise<T | undefined> {
    return await this.#values.get<T>(this.#read, key)
  }

  async set<T>(key: string, value: T, options?: SetOptions): Promise<WriteOutcome> {
    const { expiresAt } = resolve('', options, SET_VALUE)
    return expiresAt === undefined
      ? await this.#values.mset(this.#write, [[key, value]])
      : await this.#values.setExpiring(this.#write, key, value, expiresAt)
  }

  /**
   * Several values by their keys, in an object without a prototype; absent keys are left out. Rejects when
   * any of them cannot be read.
   */
  async mget<T>(keys: readonly string[]): Promise<Record<string, T>> {
    return await this.#values.mget<T>(this.#read, keys)
  }

  /** Sets all or nothing at each place: the values of an object, or pairs. */
  async mset(entries: Entries): Promise<WriteOutcome> {
    return await this.#values.mset(this.#write, entries)
  }

  /** The value with the stamp that a condition names; undefined when a place answers that there is none. */
  async getEntry<T>(key: string): Promise<Entry<T> | undefined> {
    return await this.#changes.getEntry<T>(key)
  }

  /**
   * Writes changes of several keys, all or nothing at each place, if all conditions hold. One database judges them
   * in the transaction in which it applies the group; nobody else has the group before.
   *
   * @throws StorageError `CONFLICT` that names the condition that did not hold, with effect `none`; with effect
   *   `unknown` when an answer was lost before, so that the group itself may be what stands. `UNAVAILABLE` while no
   *   database that may decide is in reach. `UNSUPPORTED` by an engine that cannot judge these conditions.
   */
  async write(changes: readonly Change[], options?: ChangesOptions): Promise<ChangesOutcome> {
    return await this.#changes.write(changes, options)
  }

  /** Removes the value and the list, everywhere and for good. */
  async delete(key: string): Promise<WriteOutcome> {
    return await this.#values.delete(this.#write, key)
  }

  // ---- lists

  async append<T>(key: string, item: T): Promise<WriteOutcome> {
    return await this.appendItems(key, [{ value: item, name: 'item' }])
  }

  /** As `decodeItems` of `rescue.ts`. */
  async decodeItems<T>(
    key: string,
    items: readonly Item[],
    decode: (item: Item) => T,
    isIntact: (value: JsonText) => boolean,
  ): Promise<T[]> {
    checkKey(key)
    checkArray('items', items)
    checkFunction('decode', decode)
    checkFunction('isIntact', isIntact)
    const { context } = this.#core
    return await this.#core.run(() => decodeItems(context, key, items, decode, isIntact))
  }

  /** Appends items in order, all or nothing at each place; none at all is no write. `others` go with them. */
  async appendItems(
    key: string,
    items: readonly NewItem[],
    others?: readonly Operation[],
  ): Promise<AppendOutcome> {
    if (others !== undefined) checkOperations('others', others)
    return await this.#lists.append(key, items, others)
  }

  /** Writes operations on any keys, with stamps of `stamp`, in one group. */
  async writeGroup(operations: readonly Operation[]): Promise<WriteOutcome> {
    checkOperations('operations', operations)
    return await this.#lists.group(operations)
  }

  /** The same with stamps of before: merged and never judged, so that a `delete` leaves newer things standing. */
  async mergeGroup(operations: readonly Operation[]): Promise<WriteOutcome> {
    checkOperations('operations', operations)
    return await this.#lists.merge(operations)
  }

  /** The stamp of an operation on this key that is about to be written. */
  stamp(key: string): Stamp {
    checkKey(key)
    return this.#core.context.clock.tick(key)
  }

  /** Replaces the value of an item that was read at this position. The last edit wins. */
  async editItem<T>(key: string, id: string, position: Stamp, value: T): Promise<WriteOutcome> {
    return await this.#lists.edit(key, id, position, value)
  }

  /** Removes an item for good; its id cannot be used again in this list before a `delete`. */
  async removeItem(key: string, id: string, position: Stamp): Promise<WriteOutcome> {
    return await this.#lists.remove(key, id, position)
  }

  /** Removes the items up to this position for good, with their edits, and leaves what stands behind it. */
  async deleteThrough(key: string, position: Stamp): Promise<WriteOutcome> {
    return await this.#lists.deleteThrough(key, position)
  }

  async readItems(given: ItemsQuery): Promise<ItemsRead> {
    const query = checkedItemsQuery(given)
    return await this.#core.run(() => this.#read.readItems(this.#core.context, query))
  }

  async readItemsById(key: string, ids: readonly string[]): Promise<ItemsRead> {
    checkKey(key)
    checkIds(ids)
    return await this.#core.run(() => this.#read.readItemsById(this.#core.context, key, ids))
  }

  async countItems(key: string, options?: CountOptions): Promise<CountedRead> {
    checkKey(key)
    const { mayExpire } = resolve('', options, COUNT)
    const read = mayExpire ? this.#read : this.#storedRead
    return await this.#core.run(() => read.countItems(this.#core.context, key))
  }

  async listKeys(given: KeyQuery): Promise<KeysRead> {
    const query = checkedKeysQuery(given)
    return await this.#core.run(() => this.#read.listKeys(this.#core.context, query))
  }

  /** Keys by their latest item, latest first. */
  async listLatest(given: LatestQuery): Promise<LatestRead> {
    const query = checkedLatestQuery(given)
    return await this.#core.run(() => this.#read.listLatest(this.#core.context, query))
  }

  /** For what the chat layer keeps beside messages. */
  get groups(): StoreGroups {
    return this.#groups
  }

  /** Clocks, timers and randomness that it was made with. */
  get env(): Env {
    return this.#core.context.env
  }

  /**
   * Items that have the words, latest first, wherever a read would show them.
   *
   * @throws StorageError `UNSUPPORTED` where no database is indexed, `UNAVAILABLE` while an index is built.
   */
  async searchItems(query: ItemsSearch): Promise<FoundRead> {
    const search = searchCall(this.#read)
    const checked = checkedItemsSearch(query)
    return await this.#core.run(() => search(this.#core.context, checked))
  }

  /** Names this incarnation of the process in session tokens. */
  get writer(): string {
    return this.#core.context.clock.writerId
  }

  /** Unix milliseconds, corrected for the skew against the primary. */
  now(): number {
    return this.#core.context.clock.now()
  }

  /** The same by the clock that is furthest behind: what is old by it is old by every clock. */
  earliestNow(): number {
    return this.#core.context.monitor.clocks.earliestMs()
  }

  /**
   * Compares the clocks of this process and of the databases that can be reached. `known`: by what they
   * said last, without asking them.
   *
   * @throws StorageError `UNAVAILABLE` that names the clocks, unless they agree to `maxClockDriftMs`.
   */
  async checkClocks(work: string, which: 'asked' | 'known' = 'asked'): Promise<void> {
    const { monitor } = this.#core.context
    if (which === 'known') monitor.clocks.check(work)
    else await this.#core.run(() => monitor.checkClocks(work))
  }

  /**
   * Makes later writes follow this stamp, and later reads be judged by a list of hints that is
   * fetched now, whatever `maxHintAge` would allow.
   *
   * @throws StorageError when the backup, which keeps the hints, does not answer.
   */
  async follow(stamp: Stamp): Promise<void> {
    checkStamp('stamp', stamp)
    const { clock, monitor } = this.#core.context
    clock.observe(stamp)
    await this.#core.run(() => monitor.refreshHints())
  }

  /** True when this process has seen a clear of the key up to this stamp. */
  async isClearedThrough(key: string, stamp: Stamp): Promise<boolean> {
    checkStamp('stamp', stamp)
    await this.readItems({ key, limit: 1, order: 'newest' })
    return (this.#core.context.tombstones.get(key) ?? '') >= stamp
  }

  /** Waits on the store's own clock, or until the signal aborts. */
  async pause(ms: number, signal?: AbortSignal): Promise<void> {
    checkInteger('ms', ms, 0, DAY_MS)
    await awakeSleep(this.#core.context.env, ms, signal)
  }

  // ---- operating

  /** How the places and the log are, as this process sees them; costs no round trip. */
  getHealthStatus(): StoreHealth {
    const { context, isOpen } = this.#core
    const { primary, backup } = context.health.getAllHealthStats()
    const isBackupHealthy = backup.healthy && !context.places.backup.isAbsent
    const backends = { primary, backup: { ...backup, healthy: isBackupHealthy } }
    return { connected: isOpen, backends, walStats: context.log.getStats() }
  }

  status(): StoreStatus {
    const { context, managers, lastReconcile, damaged, logError } = this.#core
    const strategies = { read: this.#read.name, write: this.#write.name }
    const erasing = this.#erasures.pending
    const own = { strategies, lastReconcile, erasing, damaged, logError }
    return statusOf({ context, managers, ...own })
  }

  /** Resolves when both databases have all that was pending at the call. */
  async flushWAL(deadlineMs = 30_000): Promise<void> {
    checkInteger('deadlineMs', deadlineMs, 0, DAY_MS)
    await this.#core.run(() => this.#core.context.log.flush(deadlineMs))
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
    const { context } = this.#core
    return await this.#core.run(async () => {
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
    return await this.#core.run(() => this.#core.context.log.refused())
  }

  /**
   * Sends once more what a database had refused for good, when its cause is mended; resolves with how
   * many entries: of a log in files its own, of a shared log those of all processes. What is refused
   * again is set aside again.
   *
   * @throws StorageError `UNAVAILABLE` when a shared log cannot be reached.
   */
  async retryQuarantined(): Promise<number> {
    return await this.#core.run(() => this.#core.context.log.retryQuarantined())
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
    return await this.#core.alive.during(() => this.#erasures.erase(targets, deadlineMs, left))
  }

  /** Erases of the last 30 days whose targets begin with this, the oldest first. */
  async listErasures(targetPrefix: string): Promise<readonly EraseReceipt[]> {
    checkPrefix('targetPrefix', targetPrefix, KEY_BYTES_MAX)
    return await this.#core.run(() => this.#erasures.list(targetPrefix))
  }

  /** Removes applied entries older than a time (Unix ms, default a day ago), never one that a place lacks. Tells how many. */
  async cleanupWAL(beforeTimestamp: number = this.now() - DAY_MS): Promise<number> {
    checkInteger('beforeTimestamp', beforeTimestamp, 0, Number.MAX_SAFE_INTEGER)
    return await this.#core.context.log.cleanup(beforeTimestamp)
  }

  /**
   * Compares both databases and copies what either lacks. One process does it at a time.
   *
   * @throws StorageError `UNAVAILABLE` when a place is out or another process has been at it for long.
   */
  async reconcile(given?: PassOptions): Promise<ReconcileReport> {
    const options = checkedPassOptions(given)
    return await this.#core.run(() => this.#core.reconcile(options))
  }

  /** Compares without writing. With `deep` every value is compared with its digest, too. */
  async verify(given?: VerifyOptions): Promise<ReconcileReport> {
    const options = checkedVerifyOptions(given)
    return await this.#core.run(async () => {
      this.#core.checkBackup()
      return await this.#core.reconciler.verify(options)
    })
  }

  /** Writes the intact values of the other database over damaged ones, and reconciles. */
  async repair(given?: PassOptions): Promise<ReconcileReport> {
    const options = checkedPassOptions(given)
    return await this.#core.run(() => this.#core.repair(options))
  }

  /** False where primary and log are the two places. */
  hasBackup(): boolean {
    return !this.#core.context.places.backup.isAbsent
  }

  /** One manager for each database, and one for the cache where the configuration has one. */
  getStorageManagers(): PlaceManagers {
    return this.#core.managers
  }

  /**
   * The engines of a place; null while it is not connected, and for a cache that the configuration does not
   * have. Writing to them directly goes past the log.
   */
  getBackends(place: 'primary' | 'backup' | 'cache' = 'primary'): StorageBackends | null {
    checkOneOf('place', place, PLACES)
    return this.#core.managers[place]?.getBackends() ?? null
  }
}
