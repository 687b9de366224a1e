import { setImmediate } from 'node:timers/promises'
import type { BucketDigest, StampRange } from '../../core/digest.ts'
import type { Env } from '../../core/env.ts'
import { messageOf, StorageError, type Effect } from '../../core/errors.ts'
import { KeepAlive } from '../../core/keep-alive.ts'
import { nodeEnv } from '../../core/node-env.ts'
import type { Operation } from '../../core/operation.ts'
import { sleep } from '../../core/time.ts'
import { Batcher } from '../batcher.ts'
import { checkSignal } from '../check-signal.ts'
import { checkLease } from '../lease.ts'
import { ReplicaBase } from '../replica-base.ts'
import type {
  ApplyOptions,
  ApplyResult,
  CallOptions,
  CountRead,
  DamagedPart,
  Durability,
  FencedOptions,
  Hint,
  HintList,
  ItemPage,
  ItemQuery,
  KeyPage,
  KeyQuery,
  KeyRead,
  KeyReads,
  LatestPage,
  LatestQuery,
  Lease,
  LeaseRequest,
  ReplicaBackend,
  ReplicaState,
  SchemaState,
  FoundPage,
  SearchQuery,
  SearchState,
  StoredOperation,
} from '../replica-backend.ts'
import { isOutdated, MEMORY } from './connection/open-connection.ts'
import { readSchema } from './upkeep/read-schema.ts'
import { loadSqliteDriver } from './connection/driver.ts'
import { SqliteEngine, type EngineCalls, type EngineMethod } from './engine.ts'
import { FILE_CHECK_MS, FileWatch } from './connection/file-watch.ts'
import { hostOf, type EngineHost } from './thread/engine-host.ts'
import { EngineThreads, type Role } from './thread/engine-threads.ts'
import { EngineThread, NoThread, tellOfObstacle, threadObstacle } from './thread/engine-thread.ts'
import {
  resolveSqliteOptions,
  type ResolvedSqliteOptions,
  type SqliteOptions,
} from './connection/options.ts'
import type { PartsPage } from './upkeep/parts.ts'
import { SearchIndexer } from '../search/search-indexer.ts'
import { RangeCalls, TURN_MS } from './range-calls.ts'
import { isBusy, openError, sqliteError } from './connection/sqlite-error.ts'

/** Pause before a lock that another process holds is tried again. Milliseconds. */
const BUSY_PAUSE_MS = 10

/** How often the log is moved into the file while there are writes. Milliseconds. */
const CHECKPOINT_MS = 500

/**
 * A SQLite file on a local disk, shared by the processes of one machine.
 *
 * Short reads run on the calling thread; writes, digests and scans in threads of their own, where a
 * commit waits for the disk without stopping the event loop. Concurrent saves share a commit. A
 * timeout ends the wait of the caller: what a thread has begun is done all the same.
 */
export class SqliteBackend extends ReplicaBase implements ReplicaBackend {
  #options: ResolvedSqliteOptions
  readonly #batcher: Batcher
  /** The connection of this thread. */
  #engine: SqliteEngine | undefined
  readonly #threads: EngineThreads
  readonly #ranges: RangeCalls
  readonly #indexer: SearchIndexer
  #connecting: Promise<void> | undefined
  #durability: Durability = { durable: false, reasons: ['not connected yet'] }
  readonly #alive: KeepAlive
  readonly #watch: FileWatch
  #watchedAt = 0
  /** Between `connect` and `disconnect`, whatever becomes of the file. */
  #isOpen = false
  #turnAt = 0
  #checkpointAt = 0
  #checkpointing = false
  readonly judgesConditions = (): boolean => true

  constructor(options: SqliteOptions, env: Env = nodeEnv()) {
    super(env)
    this.#alive = KeepAlive.of(env)
    const resolved = resolveSqliteOptions(options)
    this.#options = { ...resolved, threads: resolved.threads && resolved.path !== MEMORY }
    this.#threads = new EngineThreads(() => this.#whenFree(() => this.#openThread()))
    this.#watch = new FileWatch(resolved.path)
    this.#batcher = new Batcher({
      env,
      name: 'SQLite',
      run: async (calls) => {
        const results = await this.#callHost('writer', {}, 'run', calls)
        this.#checkpointIfDue()
        this.#indexer.wrote()
        return results
      },
      inFlightMax: 1,
      timeoutMs: this.#options.timeoutMs,
    })
    this.#batcher.close()
    this.#ranges = new RangeCalls(env, (options, method, ...args) =>
      this.#callHost('scanner', options, method, ...args),
    )
    this.#indexer = new SearchIndexer({
      env,
      name: 'SQLite',
      step: () => this.#callHost('writer', {}, 'indexItems'),
    })
  }

  getBackendType(): string {
    return 'sqlite'
  }

  getDurability(): Durability {
    return this.#durability
  }

  async connect(): Promise<void> {
    if (this.#engine !== undefined) return
    this.#connecting ??= this.#open().finally(() => (this.#connecting = undefined))
    await this.#connecting
  }

  /** Resolves when what was in flight has ended; what was queued is rejected with `CLOSED`. */
  async disconnect(): Promise<void> {
    await this.#connecting?.catch(() => {
      // Whoever connects is told.
    })
    this.#batcher.close()
    this.#isOpen = false
    await this.#indexer.close()
    await this.#close()
  }

  isConnected(): boolean {
    return this.#engine !== undefined
  }

  async apply(operations: readonly Operation[], options?: ApplyOptions): Promise<ApplyResult> {
    return await this.#batcher.submit(operations, options)
  }

  async readRegister(key: string, options?: CallOptions): Promise<KeyRead> {
    return await this.#call(options, 'readRegister', key)
  }

  async readRegisters(keys: readonly string[], options?: CallOptions): Promise<KeyReads> {
    return await this.#call(options, 'readRegisters', keys)
  }

  async readItems(query: ItemQuery, options?: CallOptions): Promise<ItemPage> {
    return await this.#call(options, 'readItems', query)
  }

  async readItemsById(
    key: string,
    ids: readonly string[],
    options?: CallOptions,
  ): Promise<ItemPage> {
    return await this.#call(options, 'readItemsById', key, ids)
  }

  async countItems(key: string, options?: CallOptions): Promise<CountRead> {
    return await this.#call(options, 'countItems', key)
  }

  async listKeys(query: KeyQuery, options?: CallOptions): Promise<KeyPage> {
    return await this.#call(options, 'listKeys', query)
  }

  async listLatest(query: LatestQuery, options?: CallOptions): Promise<LatestPage> {
    return await this.#call(options, 'listLatest', query)
  }

  async readState(writer: string, options?: CallOptions): Promise<ReplicaState> {
    return await this.#call(options, 'readState', writer)
  }

  async readHints(options?: CallOptions): Promise<HintList> {
    return await this.#call(options, 'readHints')
  }

  async removeHints(hints: readonly Hint[], options: FencedOptions = {}): Promise<void> {
    await this.#callHost('writer', options, 'removeHints', hints, options.fence)
  }

  async trust(identity: string, options: FencedOptions = {}): Promise<void> {
    await this.#callHost('writer', options, 'trust', identity, options.fence)
  }

  /** By the clock of this machine, which all processes of the file share. */
  async lease(request: LeaseRequest, options: CallOptions = {}): Promise<Lease | undefined> {
    checkLease(request)
    return await this.#callHost('writer', options, 'lease', request, this.env.now())
  }

  /** Some keys at a time, so that the thread is held for a moment only: not seen as of one moment. */
  async digest(
    range: StampRange,
    buckets: number,
    options: CallOptions = {},
  ): Promise<readonly BucketDigest[]> {
    return await this.#ranges.digest(range, buckets, options)
  }

  async getSchema(): Promise<SchemaState> {
    return await this.#whenFree(async () => readSchema(await loadSqliteDriver(), this.#options))
  }

  /** Only one schema can be used, so opening brings it up to date. */
  async migrate(): Promise<void> {
    if (this.isConnected()) return
    await this.connect()
    await this.#indexer.catchUp()
    await this.disconnect()
  }

  /** Moves the log beside the file into it and empties it; deleted bytes are overwritten at once. */
  async purge(options: CallOptions = {}): Promise<readonly string[]> {
    if (!(await this.#callHost('writer', options, 'purge'))) {
      throw new StorageError('UNAVAILABLE', 'another process reads the SQLite file: try again')
    }
    return ['copies of the SQLite file, and blocks that the file system gave back']
  }

  scanStored(range: StampRange, options: CallOptions = {}): AsyncIterable<StoredOperation> {
    return this.#ranges.scanStored(range, options)
  }

  async search(query: SearchQuery, options: CallOptions = {}): Promise<FoundPage> {
    return await this.#indexer.search((known) =>
      this.#callHost('scanner', options, 'search', query, known),
    )
  }

  getSearch(): SearchState {
    return this.#indexer.state
  }

  async repair(operations: readonly Operation[], options: CallOptions = {}): Promise<number> {
    return await this.#callHost('writer', options, 'repair', operations)
  }

  async *checkParts(options: CallOptions = {}): AsyncGenerator<DamagedPart> {
    yield* await this.#callHost('scanner', options, 'checkFile')
    yield* await this.#callHost('scanner', options, 'checkIndex')
    for (const method of ['checkOwners', 'checkKeys', 'checkIndexed'] as const) {
      let after: number | undefined = 0
      while (after !== undefined) {
        const page: PartsPage = await this.#callHost('scanner', options, method, after)
        yield* page.parts
        after = page.next
      }
    }
  }

  async mendParts(options: CallOptions = {}): Promise<void> {
    await this.#callHost('writer', options, 'mendFile')
    await this.#callHost('writer', options, 'mendIndex')
    for (const method of ['mendOwners', 'mendKeys', 'mendIndexed'] as const) {
      let after: number | undefined = 0
      while (after !== undefined) after = await this.#callHost('writer', options, method, after)
    }
    this.#indexer.open(await this.#callHost('writer', options, 'readProgress'))
  }

  async #close(): Promise<void> {
    const engine = this.#engine
    this.#engine = undefined
    await this.#threads.close()
    // The last one: it moves the log into the file.
    engine?.close()
  }

  /**
   * Nothing is read from a file that nobody finds any more, nor acknowledged in it.
   *
   * @throws StorageError `UNAVAILABLE` that says what became of it, until its path was opened anew.
   */
  #checkFile(effect: Effect): void {
    this.#watchedAt = this.env.monotonic()
    const gone = this.#isOpen ? this.#watch.look() : undefined
    if (gone === undefined) return
    if (this.#connecting === undefined) {
      this.#connecting = this.#reopen(gone).finally(() => (this.#connecting = undefined))
      this.#connecting.catch((error: unknown) => {
        this.env.logger.warn({ error: messageOf(error) }, 'SQLite: it cannot be opened anew yet')
      })
    }
    throw new StorageError('UNAVAILABLE', gone, { effect })
  }

  async #reopen(gone: string): Promise<void> {
    if (this.#engine !== undefined) {
      this.env.logger.error({}, gone)
      const { identity } = this.#engine.call('readHints')
      await this.#close()
      this.#watch.leave(identity)
    }
    await this.#open()
  }

  async #open(): Promise<void> {
    try {
      const driver = await loadSqliteDriver()
      const obstacle = this.#options.threads ? threadObstacle(driver) : undefined
      if (obstacle !== undefined) this.#stayHere(obstacle)
      const identity = this.newIdentity()
      const engine = await this.#whenFree(() => new SqliteEngine(driver, this.#options, identity))
      this.#engine = engine
      if (this.#watch.hasLeft(engine.call('readHints').identity)) engine.call('mendFile')
      this.#watch.opened()
      const { durability, version } = engine.settings
      this.#durability = durability
      await this.#host('writer').catch((error: unknown) => {
        if (!(error instanceof NoThread)) throw error
        this.#stayHere(error.message)
      })
      this.#checkpointAt = this.env.monotonic()
      const begin = this.#options.search ? 'makeIndex' : 'readProgress'
      this.#indexer.open(await this.#whenFree(() => engine.call(begin)))
      this.#isOpen = true
      this.#batcher.open()
      if (isOutdated(version)) {
        const text = 'this SQLite can damage a file that two processes write to; 3.51.3 has the fix'
        this.env.logger.warn({ driver: driver.name, version }, text)
      }
    } catch (error) {
      this.#engine?.close()
      this.#engine = undefined
      throw openError(this.#options.path, error)
    }
  }

  /** Without threads of its own the engine of this one does all. */
  #stayHere(obstacle: string): void {
    this.#options = { ...this.#options, threads: false }
    tellOfObstacle(obstacle, this.env.logger)
  }

  /** Opened when it is needed first, and again when its thread has died. */
  async #host(role: Role): Promise<EngineHost> {
    if (this.#engine === undefined) throw this.#notConnected()
    if (!this.#options.threads) return hostOf(this.#engine)
    return await this.#threads.get(role)
  }

  async #openThread(): Promise<EngineThread> {
    const { name, library } = await loadSqliteDriver()
    const start = { options: this.#options, identity: this.newIdentity() }
    return await EngineThread.open({ ...start, library: { name, library } })
  }

  #notConnected(): StorageError {
    const gone = this.#isOpen ? this.#watch.gone : undefined
    if (gone !== undefined) return new StorageError('UNAVAILABLE', gone)
    return new StorageError('CLOSED', 'SQLite is not connected')
  }

  async #call<Method extends EngineMethod>(
    options: CallOptions | undefined,
    method: Method,
    ...args: Parameters<EngineCalls[Method]>
  ): Promise<ReturnType<EngineCalls[Method]>> {
    const attempt = (): ReturnType<EngineCalls[Method]> => {
      if (this.#engine === undefined) throw this.#notConnected()
      return this.#engine.call(method, ...args)
    }
    try {
      if (this.env.monotonic() - this.#watchedAt >= FILE_CHECK_MS) this.#checkFile('none')
      await this.#letOthersRun()
      return await this.#whenFree(attempt, options)
    } catch (error) {
      throw sqliteError(error, 'none')
    }
  }

  async #callHost<Method extends EngineMethod>(
    role: Role,
    options: CallOptions,
    method: Method,
    ...args: Parameters<EngineCalls[Method]>
  ): Promise<ReturnType<EngineCalls[Method]>> {
    try {
      if (!this.#options.threads) await this.#letOthersRun()
      const result = await this.#whenFree(async () => {
        const host = await this.#host(role)
        return await host.call(method, ...args)
      }, options)
      this.#checkFile('unknown')
      return result
    } catch (error) {
      throw sqliteError(error, 'none')
    }
  }

  /**
   * In the other thread: in a commit, where SQLite does it by itself, a thousand pages and their sync
   * make one save in hundreds wait for up to a fifth of a second.
   */
  #checkpointIfDue(): void {
    if (!this.#options.threads) return
    const nowMs = this.env.monotonic()
    if (this.#checkpointing || nowMs - this.#checkpointAt < CHECKPOINT_MS) return
    this.#checkpointing = true
    this.#checkpointAt = nowMs
    this.#callHost('scanner', {}, 'checkpoint')
      .catch((error: unknown) => {
        this.env.logger.debug({ error: messageOf(error) }, 'the SQLite log was not moved yet')
      })
      .finally(() => (this.#checkpointing = false))
  }

  /** A loop of calls that only ever yields to microtasks would starve timers, sockets and disk. */
  async #letOthersRun(): Promise<void> {
    if (this.env.monotonic() - this.#turnAt < TURN_MS) return
    await setImmediate()
    this.#turnAt = this.env.monotonic()
  }

  /** Waits for a lock between attempts, not inside one: that would stop the event loop. */
  async #whenFree<T>(
    attempt: () => T | Promise<T>,
    { signal, timeoutMs = Number.POSITIVE_INFINITY }: CallOptions = {},
  ): Promise<T> {
    const start = this.env.monotonic()
    for (;;) {
      checkSignal(signal)
      try {
        return await attempt()
      } catch (error) {
        const waitedMs = this.env.monotonic() - start
        if (!isBusy(error) || waitedMs >= this.#options.busyTimeoutMs) throw error
        if (waitedMs >= timeoutMs) {
          const text = `SQLite was locked by another process for ${timeoutMs} ms`
          throw new StorageError('TIMEOUT', text, { cause: error })
        }
      }
      await this.#alive.during(() => sleep(this.env, BUSY_PAUSE_MS, signal))
    }
  }
}
