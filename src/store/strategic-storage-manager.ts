import type { KeyQuery, LatestQuery } from '../backend/replica-backend.ts'
import type { ValueCipher } from '../core/encryption/value-cipher.ts'
import type { Env } from '../core/env.ts'
import type { JsonText } from '../core/json.ts'
import { checkArray, checkFunction } from '../core/limits.ts'
import type { Item } from '../core/merge.ts'
import type { Operation } from '../core/operation.ts'
import type { Stamp } from '../core/stamp.ts'
import { resolve } from '../core/options.ts'
import { guardedHealth } from '../health/guarded-health.ts'
import type { HealthManager } from '../health/health-manager.ts'
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
import { defaultLog, tellOfDefaultLog } from '../wal/default-log.ts'
import type { WALManager } from '../wal/wal-manager.ts'
import { resolveStorageConfig, type StrategicStorageConfig } from './config.ts'
import { Erasures } from './erase/erasures.ts'
import {
  checkIds,
  checkedItemsQuery,
  checkKey,
  checkedKeysQuery,
  checkedItemsSearch,
  checkedLatestQuery,
  checkOperations,
  checkStamp,
  HEALTH_MANAGER,
  WAL_MANAGER,
} from './check-arguments.ts'
import type { Change, ChangesOptions, ChangesOutcome, Entry } from './changes/change.ts'
import { ConditionalWrites } from './changes/conditional-writes.ts'
import { BulkCalls, COUNT, SET_VALUE } from './bulk/bulk-calls.ts'
import { type BulkStoreParts } from './bulk/bulk-store.ts'
import type { CountOptions, SetOptions } from './bulk/bulk-types.ts'
import { ExpiryPass } from './expiry/expiry-pass.ts'
import { LiveReads } from './expiry/live-reads.ts'
import { KeyLeases } from './key-lease.ts'
import { Groups, type StoreGroups } from './groups.ts'
import { Lists, type AppendOutcome } from './lists.ts'
import type { Entries, NewItem } from './new-values.ts'
import { decodeItems } from './rescue.ts'
import { statusOf, type StoreHealth, type StoreStatus } from './status.ts'
import { StoreCore } from './store-core.ts'
import { StoreUpkeep } from './store-upkeep.ts'
import { checkEvent, type StoreEvents } from './store-events.ts'
import { Values } from './values.ts'

/** Values, lists and their items in two databases and a log, through exchangeable strategies. */
export class StrategicStorageManager extends StoreUpkeep implements AsyncDisposable {
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

  /** Starts as long as one durable place is there. */
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
  protected override get core(): StoreCore {
    return this.#core
  }

  /** @internal */
  protected override get erasures(): Erasures {
    return this.#erasures
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

  /** Names of a text, one for each encryption key and none without: they say nothing of it. */
  keyedNames(text: string): readonly string[] {
    return this.#cipher.namesOf(text)
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

  /** True when this process has seen a clear of the key up to this stamp. */
  async isClearedThrough(key: string, stamp: Stamp): Promise<boolean> {
    checkStamp('stamp', stamp)
    await this.readItems({ key, limit: 1, order: 'newest' })
    return (this.#core.context.tombstones.get(key) ?? '') >= stamp
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
}
