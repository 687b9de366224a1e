import type { LatestKey, ReplicaBackend } from '../backend/replica-backend.ts'
import type { CacheBackend } from '../backend/cache-backend.ts'
import type { ValueCipher } from '../core/encryption/value-cipher.ts'
import { invalid } from '../core/errors.ts'
import { decodeJson, encodeJson, type JsonText } from '../core/json.ts'
import {
  checkInteger,
  checkPrefix,
  checkText,
  KEY_BYTES_MAX,
  MESSAGE_ID_BYTES_MAX,
  PAGE_ITEMS_MAX,
} from '../core/limits.ts'
import { itemValue, type Item } from '../core/merge.ts'
import type { AppendOperation, DatabasePlace, Operation } from '../core/operation.ts'
import { isStamp, type Stamp } from '../core/stamp.ts'
import { sleep } from '../core/time.ts'
import type { HealthManager, HealthStats } from '../health/health-manager.ts'
import type { StorageManager } from '../manager/storage-manager.ts'
import type {
  CountRead,
  ItemsQuery,
  ItemsRead,
  KeysRead,
  LatestRead,
  ReadStrategy,
} from '../strategy/read/read-strategy.ts'
import type { WriteOutcome, WriteStrategy } from '../strategy/write/write-strategy.ts'
import type { ReconcileReport } from '../sync/reconcile-report.ts'
import type { PassOptions, VerifyOptions } from '../sync/reconciler.ts'
import type { RefusedEntry } from '../wal/wal.ts'
import type { WALManager } from '../wal/wal-manager.ts'
import { resolveStorageConfig, type StrategicStorageConfig } from './config.ts'
import { Erasures } from './erase/erasures.ts'
import type { EraseReceipt } from './erase/erase-receipt.ts'
import type { EraseScope } from './erase/erasure-record.ts'
import { checkGroup } from './check-group.ts'
import { statusOf, type StoreStatus } from './status.ts'
import { StoreCore } from './store-core.ts'
import type { StoreEvents } from './store-events.ts'
import { UniqueLock } from './unique-lock.ts'
import { placesWithTombstone } from './places-with-tombstone.ts'
import { findInLog } from './find-in-log.ts'

/** An item to append: the id is the caller's or, when left out, made from its position. */
export interface NewItem {
  readonly id?: string
  readonly value: JsonText
}

export interface AppendOutcome extends WriteOutcome {
  /** One for each item, in their order. */
  readonly ids: readonly string[]
}

/** Values, lists and their items in two databases and a log, through exchangeable strategies. */
export class StrategicStorageManager implements AsyncDisposable {
  readonly #core: StoreCore
  readonly #read: ReadStrategy
  readonly #write: WriteStrategy
  readonly #lock = new UniqueLock()
  readonly #erasures: Erasures
  readonly #cipher: ValueCipher | undefined

  /**
   * Without a `walManager` only a write strategy that needs no log can be used.
   *
   * @throws StorageError `INVALID_ARGUMENT` that names the field.
   */
  constructor(
    config: StrategicStorageConfig,
    readStrategy: ReadStrategy,
    writeStrategy: WriteStrategy,
    healthManager: HealthManager,
    walManager?: WALManager,
  ) {
    if (walManager === undefined && writeStrategy.needsLog) {
      throw invalid(`wal must be given: write strategy ${writeStrategy.type} keeps nothing without`)
    }
    this.#read = readStrategy
    this.#write = writeStrategy
    const resolved = resolveStorageConfig(config)
    this.#cipher = resolved.cipher
    if (resolved.cipher !== undefined) walManager?.encryptWith(resolved.cipher)
    this.#core = new StoreCore(resolved, healthManager, walManager, readStrategy.cacheUse)
    this.#erasures = new Erasures({
      context: this.#core.context,
      read: readStrategy,
      write: (group) => this.#core.run(() => this.#write.execute(this.#core.context, group)),
      purge: (place) => this.getBackends(place).database.purge!(),
      onError: (task, error) => this.#core.report(task, error),
    })
  }

  /** Starts as long as one durable place is there; the others are connected when they come back. */
  async connect(): Promise<void> {
    // Without keys nothing may be written: not even to the log.
    await this.#cipher?.ready()
    await this.#core.connect()
    this.#erasures.start()
  }

  /** Waits for calls in flight, drains what is pending up to `drainTimeout`, then disconnects. */
  async disconnect(): Promise<void> {
    await this.#erasures.stop()
    await this.#core.disconnect()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.disconnect()
  }

  /** Adds a listener and returns the function that removes it. */
  on<Name extends keyof StoreEvents>(
    name: Name,
    listener: (event: StoreEvents[Name]) => void,
  ): () => void {
    return this.#core.events.on(name, listener)
  }

  // ---- values

  async get<T>(key: string): Promise<T | undefined> {
    checkText('key', key, KEY_BYTES_MAX)
    const { context } = this.#core
    const { register } = await this.#core.run(() => this.#read.readRegister(context, key))
    return register === undefined ? undefined : decodeJson<T>(register.value)
  }

  async set<T>(key: string, value: T): Promise<WriteOutcome> {
    return await this.mset([[key, value]])
  }

  /** Several values; absent keys are left out. Rejects when any of them cannot be read. */
  async mget<T>(keys: readonly string[]): Promise<Map<string, T>> {
    const values = await Promise.all(keys.map((key) => this.get<T>(key)))
    const found = new Map<string, T>()
    values.forEach((value, i) => {
      if (value !== undefined) found.set(keys[i]!, value)
    })
    return found
  }

  /** Sets all or nothing at each place. */
  async mset(entries: Iterable<readonly [key: string, value: unknown]>): Promise<WriteOutcome> {
    const { clock } = this.#core.context
    const checked = [...entries].map(([key, value]) => {
      checkText('key', key, KEY_BYTES_MAX)
      return { key, value: encodeJson(value) }
    })
    const operations = checked.map(({ key, value }): Operation => ({
      kind: 'set',
      key,
      value,
      stamp: clock.tick(key),
    }))
    return await this.#execute(operations, false)
  }

  /** Removes the value and the list, everywhere and for good. */
  async delete(key: string): Promise<WriteOutcome> {
    checkText('key', key, KEY_BYTES_MAX)
    const stamp = this.#core.context.clock.tick(key)
    return await this.#execute([{ kind: 'delete', key, stamp }], false)
  }

  /** True when the key has a value or an item. */
  async exists(key: string): Promise<boolean> {
    if ((await this.get(key)) !== undefined) return true
    return (await this.readItems({ key, limit: 1, order: 'newest' })).items.length > 0
  }

  /** All keys with this prefix, sorted by code point. Every character is literal. */
  async list(prefix: string): Promise<readonly string[]> {
    checkPrefix('prefix', prefix, KEY_BYTES_MAX)
    const keys: string[] = []
    for (;;) {
      const after = keys.at(-1)
      const page = await this.listKeys({
        prefix,
        limit: PAGE_ITEMS_MAX,
        ...(after !== undefined && { after }),
      })
      keys.push(...page.keys)
      if (page.done) return keys
    }
  }

  // ---- lists

  async append<T>(key: string, item: T): Promise<WriteOutcome> {
    return await this.appendItems(key, [{ value: encodeJson(item, 'item') }])
  }

  /** Items in list order; `start` is 0-based, negative counts from the end. Costs `start + count`. */
  async getRange<T>(key: string, start: number, count: number): Promise<readonly T[]> {
    checkInteger('start', start, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)
    checkInteger('count', count, 0, Number.MAX_SAFE_INTEGER)
    const items =
      start < 0
        ? (await this.#take(key, 'newest', -start)).reverse().slice(0, count)
        : (await this.#take(key, 'oldest', start + count)).slice(start)
    return items.map((item) => decodeJson<T>(itemValue(item)!))
  }

  /** Appends items in order, all or nothing at each place. */
  async appendItems(key: string, items: readonly NewItem[]): Promise<AppendOutcome> {
    checkText('key', key, KEY_BYTES_MAX)
    const given = items.map(({ id }) => id).filter((id) => id !== undefined)
    for (const id of given) checkText('id', id, MESSAGE_ID_BYTES_MAX)
    if (new Set(given).size < given.length) throw invalid('ids must differ within one group')
    const appends = this.#appends(key, items)
    const names = given.map((id) => `${key}\0${id}`)
    const outcome =
      given.length === 0
        ? await this.#execute(appends, false)
        : await this.#lock.run(names, () => this.#appendUnique(appends))
    return { ...outcome, ids: appends.map(({ id }) => id) }
  }

  /** Replaces the value of an item that was read at this position. The last edit wins. */
  async editItem(key: string, id: string, position: Stamp, value: JsonText): Promise<WriteOutcome> {
    const stamp = this.#core.context.clock.tick(key)
    const operation = { kind: 'put', change: 'edit', key, id, position, stamp, value } as const
    return await this.#execute([operation], false)
  }

  /** Removes an item for good; its id cannot be used again in this list before a `delete`. */
  async removeItem(key: string, id: string, position: Stamp): Promise<WriteOutcome> {
    const stamp = this.#core.context.clock.tick(key)
    const operation = { kind: 'put', change: 'remove', key, id, position, stamp } as const
    return await this.#execute([operation], false)
  }

  /**
   * Removes the items up to this position for good, edited ones with their edits, and leaves what stands
   * behind it.
   */
  async deleteThrough(key: string, position: Stamp): Promise<WriteOutcome> {
    checkText('key', key, KEY_BYTES_MAX)
    if (!isStamp(position)) throw invalid(`position must be that of an item, got ${position}`)
    const operations = [{ kind: 'delete', key, stamp: position } as const]
    return await this.#core.run(() =>
      this.#write.execute(this.#core.context, {
        operations,
        unique: false,
        isRepeat: true,
        mergeOnly: true,
      }),
    )
  }

  async readItems(query: ItemsQuery): Promise<ItemsRead> {
    checkText('key', query.key, KEY_BYTES_MAX)
    checkInteger('limit', query.limit, 1, PAGE_ITEMS_MAX)
    return await this.#core.run(() => this.#read.readItems(this.#core.context, query))
  }

  async readItemsById(key: string, ids: readonly string[]): Promise<ItemsRead> {
    checkText('key', key, KEY_BYTES_MAX)
    return await this.#core.run(() => this.#read.readItemsById(this.#core.context, key, ids))
  }

  async countItems(key: string): Promise<CountRead> {
    checkText('key', key, KEY_BYTES_MAX)
    return await this.#core.run(() => this.#read.countItems(this.#core.context, key))
  }

  async listKeys(query: {
    readonly prefix: string
    readonly after?: string
    readonly limit: number
  }): Promise<KeysRead> {
    return await this.#core.run(() => this.#read.listKeys(this.#core.context, query))
  }

  /** Keys by their latest item, latest first. */
  async listLatest(query: {
    readonly prefix: string
    readonly before?: LatestKey
    readonly limit: number
  }): Promise<LatestRead> {
    return await this.#core.run(() => this.#read.listLatest(this.#core.context, query))
  }

  /** Names this incarnation of the process in session tokens. */
  get writer(): string {
    return this.#core.context.clock.writerId
  }

  /** Unix milliseconds, corrected for the skew against the primary. */
  now(): number {
    return this.#core.context.clock.now()
  }

  /**
   * Makes later writes follow this stamp, and later reads be judged by a list of hints that is
   * fetched now: what any process acknowledged before is then known to be in the answer, or the
   * answer says that it is not complete.
   *
   * @throws StorageError when the backup, which keeps the hints, does not answer.
   */
  async follow(stamp: Stamp): Promise<void> {
    const { clock, monitor } = this.#core.context
    clock.observe(stamp)
    await this.#core.run(async () => void (await monitor.probe('backup')))
  }

  /** True when this process has seen a clear of the key up to this stamp. */
  async isClearedThrough(key: string, stamp: Stamp): Promise<boolean> {
    await this.readItems({ key, limit: 1, order: 'newest' })
    return (this.#core.context.tombstones.get(key) ?? '') >= stamp
  }

  /** Waits on the store's own clock. */
  async pause(ms: number): Promise<void> {
    await sleep(this.#core.context.env, ms)
  }

  // ---- operating

  getHealthStatus(): Readonly<Record<DatabasePlace, HealthStats>> {
    return this.#core.context.health.getAllHealthStats()
  }

  status(): StoreStatus {
    const { context, managers, lastReconcile } = this.#core
    const strategies = { read: this.#read.type, write: this.#write.type }
    const erasing = this.#erasures.pending
    return statusOf({ context, managers, strategies, lastReconcile, erasing })
  }

  /** Resolves when both databases have all that was pending at the call. */
  async flushWAL(deadlineMs?: number): Promise<void> {
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
   * Clears a key, or every key that begins with a prefix, and takes the payloads out of the log, the
   * caches and the free space of the engines. Waits at most `deadlineMs` and goes on by itself.
   */
  async erase(scope: EraseScope, target: string, deadlineMs = 30_000): Promise<EraseReceipt> {
    if (scope === 'key') checkText('key', target, KEY_BYTES_MAX)
    else checkPrefix('prefix', target, KEY_BYTES_MAX)
    checkInteger('deadlineMs', deadlineMs, 0, 86_400_000)
    return await this.#erasures.erase(scope, target, deadlineMs)
  }

  /** Erases of the last 30 days whose targets begin with this, the oldest first. */
  async listErasures(targetPrefix: string): Promise<readonly EraseReceipt[]> {
    checkPrefix('targetPrefix', targetPrefix, KEY_BYTES_MAX)
    return await this.#core.run(() => this.#erasures.list(targetPrefix))
  }

  /** Removes applied entries older than this; never one that some place lacks. */
  async cleanupWAL(beforeTimestamp: number): Promise<number> {
    return await this.#core.context.log.cleanup(beforeTimestamp)
  }

  /**
   * Compares both databases and copies what either lacks. One process does it at a time.
   *
   * @throws StorageError `UNAVAILABLE` when a place is out or another process has been at it for long.
   */
  async reconcile(options?: PassOptions): Promise<ReconcileReport> {
    return await this.#core.run(() => this.#core.reconcile(options))
  }

  /** Compares without writing. With `deep` every value is compared with its digest, too. */
  async verify(options?: VerifyOptions): Promise<ReconcileReport> {
    return await this.#core.run(() => this.#core.reconciler.verify(options))
  }

  /** Writes the intact values of the other database over damaged ones, and reconciles. */
  async repair(options?: PassOptions): Promise<ReconcileReport> {
    return await this.#core.run(() => this.#core.repair(options))
  }

  getStorageManagers(): Readonly<Record<DatabasePlace, StorageManager>> {
    return this.#core.managers
  }

  /** The engines of a place. Writing to them directly goes past the log: for reading only. */
  getBackends(place: DatabasePlace): {
    readonly cache: CacheBackend
    readonly database: ReplicaBackend
  } {
    return this.#core.managers[place].getBackends()
  }

  async #appendUnique(appends: readonly AppendOperation[]): Promise<WriteOutcome> {
    checkGroup(appends)
    const known = await findInLog(this.#core.context, appends)
    if (known.cleared) {
      const durable = this.#core.context.log.isDurable()
      return { operations: known.operations, copies: ['wal'], durable }
    }
    const isRepeat = known.operations.some((operation, i) => operation !== appends[i])
    return await this.#execute(known.operations, true, isRepeat)
  }

  #appends(key: string, items: readonly NewItem[]): AppendOperation[] {
    const { clock } = this.#core.context
    return items.map(({ id, value }) => {
      const stamp = clock.tick(key)
      return {
        kind: 'put',
        change: 'append',
        key,
        id: id ?? stamp,
        position: stamp,
        stamp,
        value,
      }
    })
  }

  async #execute(
    operations: readonly Operation[],
    unique: boolean,
    isRepeat = false,
  ): Promise<WriteOutcome> {
    checkGroup(operations)
    return await this.#core.run(() =>
      this.#write.execute(this.#core.context, { operations, unique, isRepeat }),
    )
  }

  async #take(key: string, order: 'newest' | 'oldest', count: number): Promise<Item[]> {
    const items: Item[] = []
    while (items.length < count) {
      const edge = items.at(-1)?.position
      const bound =
        edge === undefined ? {} : order === 'newest' ? { before: edge } : { after: edge }
      const limit = Math.min(count - items.length, PAGE_ITEMS_MAX)
      const page = await this.readItems({ key, order, limit, ...bound })
      items.push(...page.items)
      if (page.done) break
    }
    return items
  }
}
