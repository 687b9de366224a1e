import type { BucketDigest, StampRange } from '../../core/digest.ts'
import type { Env } from '../../core/env.ts'
import {
  isStorageError,
  messageOf,
  StorageConnectionError,
  StorageError,
} from '../../core/errors.ts'
import { KeepAlive } from '../../core/keep-alive.ts'
import { nodeEnv } from '../../core/node-env.ts'
import type { Operation } from '../../core/operation.ts'
import { withDeadline } from '../../core/time.ts'
import { checkSignal } from '../check-signal.ts'
import { Batcher, type BatchCall } from '../batcher.ts'
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
import { SearchIndexer, type IndexProgress } from '../search/search-indexer.ts'
import { applyCalls } from './write/apply.ts'
import { PostgresDriver, type PostgresPoolState } from './connection/driver.ts'
import { leaseRow, removeHintsFenced, trustFenced } from './upkeep/leases.ts'
import { sweepKey, tableSizes, unsweptKeys, vacuum, type TableSize } from './upkeep/maintenance.ts'
import {
  checkVersion,
  migrate,
  MIGRATION_TITLES,
  SCHEMA_VERSION,
  schemaVersion,
} from './upkeep/migrations.ts'
import {
  CLIENT_GRACE_MS,
  resolvePostgresOptions,
  type PostgresOptions,
} from './connection/options.ts'
import type { ResolvedPostgresOptions } from './connection/options.ts'
import {
  connectReason,
  isMissingRight,
  isMissingTable,
  isRefusedForGood,
  isSerializationFailure,
} from './connection/postgres-error.ts'
import { damagedParts, mendParts, type Step } from './upkeep/parts.ts'
import { digestRange, scanRange, type Ask } from './read/ranges.ts'
import * as reads from './read/reads.ts'
import { indexItems } from './search/index-items.ts'
import { makeIndex, readProgress } from './search/index-tables.ts'
import { searchItems } from './search/search-items.ts'
import { repairRows } from './upkeep/repair.ts'
import { durabilityOf, type ServerSettings } from './connection/server-settings.ts'
import type { Session } from './connection/session.ts'
import { checkTables } from './upkeep/table-checks.ts'
import { tablesOf, type Tables } from './rows/tables.ts'

/** A migration may build indexes and wait for another process; VACUUM reads all. Milliseconds. */
const PATIENT_MS_MAX = 10 * 60_000

/** What `getInfo` tells: what this process knows of its connections. */
export interface PostgresInfo {
  readonly type: string
  readonly connected: boolean
  readonly pool: PostgresPoolState
  /** Where it connects to. A pool of the application's own does not tell: then all of it is empty. */
  readonly config: {
    readonly host: string
    readonly port: number
    readonly database: string
    /** The connection is encrypted. */
    readonly ssl: boolean
  }
}

/** What `getServerInfo` tells about the server and the tables. */
export interface PostgresServerInfo {
  /** As the server wrote it, such as `15.4`. */
  readonly version: string
  readonly settings: ServerSettings
  readonly schemaVersion: number
  readonly tables: readonly TableSize[]
}

const UNKNOWN_ADDRESS = { host: '', port: 0, database: '', ssl: false }
const NO_POOL: PostgresPoolState = { totalCount: 0, idleCount: 0, waitingCount: 0 }

/**
 * A PostgreSQL database. Version 13 or newer.
 *
 * A call fails at its deadline at the latest. While the server is away calls fail at once with
 * `UNAVAILABLE` and effect `none`; they work again as soon as it is back, also when `connect` itself
 * had failed. Behind a pooler (PgBouncer in session or transaction mode) no session is changed, and a
 * statement takes three round trips instead of one.
 */
export class PostgresBackend extends ReplicaBase implements ReplicaBackend {
  readonly #options: ResolvedPostgresOptions
  readonly #tables: Tables
  readonly #batcher: Batcher
  readonly #indexer: SearchIndexer
  #driver: Promise<PostgresDriver> | undefined
  #opened: PostgresDriver | undefined
  #ready: Promise<void> | undefined
  #isReady = false

  readonly judgesConditions = (): boolean => true
  readonly getSearch = (): SearchState => this.#indexer.state

  constructor(options: PostgresOptions, env: Env = nodeEnv()) {
    super(env)
    this.#options = resolvePostgresOptions(options)
    this.#tables = tablesOf(this.#options.schema, this.#options.tablePrefix)
    this.#batcher = new Batcher({
      env,
      name: 'PostgreSQL',
      run: (calls) => this.#run(calls),
      inFlightMax: this.#options.inFlightMax,
      timeoutMs: this.#options.statementTimeoutMs + CLIENT_GRACE_MS,
    })
    this.#batcher.close()
    this.#indexer = new SearchIndexer({
      env,
      name: 'PostgreSQL',
      step: () =>
        this.#call('index', { timeoutMs: PATIENT_MS_MAX }, (session) =>
          indexItems(session, this.#tables),
        ),
    })
  }

  getBackendType(): string {
    return 'postgresql'
  }

  isConnected(): boolean {
    return this.#isReady && this.#opened?.reachable === true
  }

  getDurability(): Durability {
    const settings = this.#opened?.settings
    if (settings !== undefined) return durabilityOf(settings)
    return { durable: false, reasons: ['not connected: the settings of the server are unknown'] }
  }

  /**
   * Connects, and brings the schema up to date. Rejects with a `StorageConnectionError` when the
   * server is away; later calls connect by themselves once it is back.
   */
  async connect(): Promise<void> {
    this.#driver ??= this.#open()
    this.#batcher.open()
    try {
      await this.#prepared()
    } catch (error) {
      if (isStorageError(error, 'UNSUPPORTED') || isStorageError(error, 'CLOSED')) throw error
      const { host, port, database } = this.#options.connection
      throw new StorageConnectionError(
        'postgresql',
        `cannot connect to PostgreSQL at ${host}:${port}/${database}: ${connectReason(error)}`,
        { cause: error, permanent: isRefusedForGood(error) },
      )
    }
  }

  /** Ends when calls in flight have ended, at its deadline at the latest. */
  async disconnect(): Promise<void> {
    await this.#indexer.close()
    const driver = this.#driver
    this.#driver = undefined
    this.#opened = undefined
    this.#ready = undefined
    this.#isReady = false
    this.#batcher.close()
    // An idle connection would let the process end before it has closed.
    await KeepAlive.of(this.env).during(async () => await (await driver)?.close())
  }

  apply(operations: readonly Operation[], options?: ApplyOptions): Promise<ApplyResult> {
    return this.#batcher.submit(operations, options)
  }

  async readRegister(key: string, options?: CallOptions): Promise<KeyRead> {
    return await reads.readRegister(this.#ask('readRegister', options), this.#tables, key)
  }

  async readRegisters(keys: readonly string[], options?: CallOptions): Promise<KeyReads> {
    return await reads.readRegisters(this.#ask('readRegisters', options), this.#tables, keys)
  }

  async readItems(query: ItemQuery, options?: CallOptions): Promise<ItemPage> {
    return await reads.readItems(this.#ask('readItems', options), this.#tables, query)
  }

  async readItemsById(
    key: string,
    ids: readonly string[],
    options?: CallOptions,
  ): Promise<ItemPage> {
    return await reads.readItemsById(this.#ask('readItemsById', options), this.#tables, key, ids)
  }

  async countItems(key: string, options?: CallOptions): Promise<CountRead> {
    return await reads.countItems(this.#ask('countItems', options), this.#tables, key)
  }

  async listKeys(query: KeyQuery, options?: CallOptions): Promise<KeyPage> {
    return await reads.listKeys(this.#ask('listKeys', options), this.#tables, query)
  }

  async listLatest(query: LatestQuery, options?: CallOptions): Promise<LatestPage> {
    return await reads.listLatest(this.#ask('listLatest', options), this.#tables, query)
  }

  async search(query: SearchQuery, options?: CallOptions): Promise<FoundPage> {
    return await this.#indexer.search((known) =>
      searchItems(this.#ask('search', options), this.#tables, known, query),
    )
  }

  async readState(writer: string, options?: CallOptions): Promise<ReplicaState> {
    return await reads.readState(this.#ask('readState', options), this.#tables, writer)
  }

  async readHints(options?: CallOptions): Promise<HintList> {
    return await reads.readHints(this.#ask('readHints', options), this.#tables)
  }

  async removeHints(hints: readonly Hint[], options: FencedOptions = {}): Promise<void> {
    await this.#call('removeHints', options, (session) =>
      removeHintsFenced(session, this.#tables, hints, options.fence),
    )
  }

  async trust(identity: string, options: FencedOptions = {}): Promise<void> {
    await this.#call('trust', options, (session) =>
      trustFenced(session, this.#tables, identity, options.fence),
    )
  }

  async lease(request: LeaseRequest, options: CallOptions = {}): Promise<Lease | undefined> {
    checkLease(request)
    return await this.#call('lease', options, (session) => leaseRow(session, this.#tables, request))
  }

  async digest(
    range: StampRange,
    buckets: number,
    options?: CallOptions,
  ): Promise<readonly BucketDigest[]> {
    return await digestRange(this.#ask('digest', options), this.#tables, range, buckets)
  }

  /** Reads page by page; `timeoutMs` is the limit of each page. */
  scanStored(range: StampRange, options?: CallOptions): AsyncIterable<StoredOperation> {
    return scanRange(this.#ask('scan', options), this.#tables, range)
  }

  async repair(operations: readonly Operation[], options: CallOptions = {}): Promise<number> {
    return await this.#call('repair', options, (session) =>
      repairRows(session, this.#tables, operations),
    )
  }

  checkParts(options?: CallOptions): AsyncIterable<DamagedPart> {
    return damagedParts(this.#ask('checkParts', options), this.#tables, this.#isIndexed)
  }

  async mendParts(options: CallOptions = {}): Promise<void> {
    const step: Step = (work) => this.#call('mendParts', options, work)
    await mendParts(step, this.#tables, this.#isIndexed)
    if (!this.#isIndexed) return
    this.#indexer.open(await step((session) => readProgress(session, this.#tables)))
  }

  /** Makes the tables or brings them up to date; `connect` does it unless told otherwise. */
  async migrate(): Promise<void> {
    this.#driver ??= this.#open()
    const driver = await this.#driver
    await this.#migrate(driver)
    if (!this.#options.search) return
    this.#indexer.open(await this.#openIndex(driver, true))
    await this.#indexer.catchUp()
  }

  async getSchema(): Promise<SchemaState> {
    const driver = await (this.#driver ??= this.#open())
    const timeoutMs = this.#options.connectTimeoutMs
    const version = await driver.use('schema', { timeoutMs }, (session) =>
      schemaVersion(session, this.#tables),
    )
    return { version, migrations: MIGRATION_TITLES }
  }

  /** The state of the connections, without a round trip and without a password. */
  getInfo(): PostgresInfo {
    const { pool, connection } = this.#options
    const { host, port, database, ssl } = connection
    return {
      type: this.getBackendType(),
      connected: this.isConnected(),
      pool: this.#opened?.poolState ?? NO_POOL,
      config:
        pool.given === undefined ? { host, port, database, ssl: ssl !== false } : UNKNOWN_ADDRESS,
    }
  }

  /** Asks the server. */
  async getServerInfo(options: CallOptions = {}): Promise<PostgresServerInfo> {
    const tables = await this.#call('getServerInfo', options, (session) =>
      tableSizes(session, this.#tables),
    )
    const settings = this.#opened!.settings!
    return { version: settings.version, settings, schemaVersion: SCHEMA_VERSION, tables }
  }

  /**
   * Removes rows that are gone since a delete, in batches, then runs VACUUM and ANALYZE on the own
   * tables. `timeoutMs` is the limit of each step. Nothing but space and plans depends on it.
   */
  async maintenance(options: CallOptions = {}): Promise<void> {
    let after = ''
    for (;;) {
      const from = after
      const keys = await this.#call('maintenance', options, (session) =>
        unsweptKeys(session, this.#tables, from),
      )
      for (const key of keys) await this.#sweep(key, options)
      if (keys.length === 0) break
      after = keys.at(-1)!
    }
    const patient = { timeoutMs: PATIENT_MS_MAX, ...options }
    await this.#call('maintenance', patient, (session) =>
      vacuum(session, this.#tables, this.#isIndexed),
    )
  }

  /** `maintenance`: VACUUM frees what was removed, and the server overwrites it when it needs the space. */
  async purge(options: CallOptions = {}): Promise<readonly string[]> {
    await this.maintenance(options)
    return [
      'free space in table pages until it is overwritten (VACUUM FULL does it at once, under a lock)',
      'pg_wal, replicas, archives and base backups of PostgreSQL, until they are recycled',
    ]
  }

  #ask(operation: string, options: CallOptions = {}): Ask {
    const { timeoutMs = 0 } = options
    // Without a limit of its own a statement has that of the session.
    const isLong = timeoutMs > this.#options.statementTimeoutMs + CLIENT_GRACE_MS
    return (statement, byBlocks = false) =>
      this.#call(operation, options, (session) =>
        isLong || byBlocks
          ? session.queryWith({ byBlocks, ...(isLong && { timeoutMs }) }, statement)
          : session.query(statement),
      )
  }

  /** Runs with one connection once the schema is known; again when the tables have vanished. */
  async #call<T>(
    operation: string,
    options: CallOptions,
    work: (session: Session) => Promise<T>,
  ): Promise<T> {
    const driver = await this.#whenReady(options)
    try {
      return await driver.use(operation, options, work)
    } catch (error) {
      if (!isStorageError(error) || !isMissingTable(error.cause)) throw error
      if (this.#options.migrate === 'never' || this.#opened !== driver) throw error
      // The database was made anew: its identity has changed, and the answer will say so.
      this.#ready = undefined
      this.#isReady = false
      return await (await this.#whenReady(options)).use(operation, options, work)
    }
  }

  async #whenReady({ timeoutMs, signal }: CallOptions): Promise<PostgresDriver> {
    if (this.#driver === undefined) {
      throw new StorageError('CLOSED', 'PostgreSQL backend is not connected')
    }
    checkSignal(signal)
    if (!this.#isReady) {
      const limitMs = timeoutMs ?? this.#options.statementTimeoutMs + CLIENT_GRACE_MS
      const what = 'connecting to PostgreSQL'
      await withDeadline(this.env, limitMs, what, this.#prepared(), { effect: 'none' })
    }
    if (this.#opened === undefined) {
      throw new StorageError('CLOSED', 'PostgreSQL backend is not connected')
    }
    return this.#opened
  }

  /** Connects and checks the schema; shared by the calls that wait for it. */
  async #prepared(): Promise<void> {
    if (this.#isReady) return
    const driver = await (this.#driver ??= this.#open())
    const ready = (this.#ready ??= this.#prepare(driver))
    try {
      await ready
    } catch (error) {
      // The next call tries again.
      if (this.#ready === ready) this.#ready = undefined
      if (!isStorageError(error) || !isMissingRight(error.cause)) throw error
      throw new StorageError('UNSUPPORTED', error.message, { cause: error })
    }
  }

  async #open(): Promise<PostgresDriver> {
    return await PostgresDriver.open(this.env, this.#options)
  }

  async #prepare(driver: PostgresDriver): Promise<void> {
    this.#opened = driver
    const limit = { timeoutMs: this.#options.connectTimeoutMs }
    const version = await driver.use('connect', limit, (session) =>
      schemaVersion(session, this.#tables),
    )
    checkVersion(version, this.#options.migrate)
    if (version < SCHEMA_VERSION) await this.#migrate(driver)
    await driver.use('connect', limit, (session) => checkTables(session, this.#tables))
    this.#indexer.open(await this.#openIndex(driver, this.#options.migrate === 'connect'))
    if (driver.settings?.readOnly === true) {
      this.env.logger.warn({}, 'PostgreSQL takes no writes: transactions are read-only here')
    }
    if (this.#opened === driver) this.#isReady = true
  }

  async #openIndex(driver: PostgresDriver, mayCreate: boolean): Promise<IndexProgress | undefined> {
    return await driver.use('connect', { timeoutMs: PATIENT_MS_MAX }, (session) =>
      this.#options.search
        ? makeIndex(session, this.#tables, mayCreate)
        : readProgress(session, this.#tables),
    )
  }

  get #isIndexed(): boolean {
    return this.#indexer.state.state !== 'off'
  }

  async #migrate(driver: PostgresDriver): Promise<void> {
    await driver.use('migrate', { timeoutMs: PATIENT_MS_MAX }, (session) =>
      migrate(session, this.#tables),
    )
  }

  /** The batcher's engine. A transaction that the server chose to undo is run once more. */
  async #run(calls: readonly BatchCall[]): Promise<readonly ApplyResult[]> {
    const apply = (session: Session): ReturnType<typeof applyCalls> =>
      applyCalls(session, this.#tables, calls)
    let outcome: Awaited<ReturnType<typeof applyCalls>>
    try {
      outcome = await this.#call('apply', {}, apply)
    } catch (error) {
      if (!isStorageError(error) || !isSerializationFailure(error.cause)) throw error
      outcome = await this.#call('apply', {}, apply)
    }
    this.#indexer.wrote()
    for (const key of outcome.unswept) void this.#sweepBehind(key)
    return outcome.results
  }

  async #sweep(key: string, options: CallOptions): Promise<void> {
    const step = (session: Session): Promise<boolean> => sweepKey(session, this.#tables, key)
    while (await this.#call('sweep', options, step)) continue
  }

  /** After a delete of many rows. What fails here is left for `maintenance`. */
  async #sweepBehind(key: string): Promise<void> {
    try {
      await this.#sweep(key, {})
    } catch (error) {
      this.env.logger.debug({ error: messageOf(error) }, 'PostgreSQL: gone rows are left for later')
    }
  }
}
