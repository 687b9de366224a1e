import type { BucketDigest, StampRange } from '../../core/digest.ts'
import type { Env } from '../../core/env.ts'
import { isStorageError, StorageError } from '../../core/errors.ts'
import { nodeEnv } from '../../core/node-env.ts'
import type { Operation } from '../../core/operation.ts'
import { sleep } from '../../core/time.ts'
import { Batcher } from '../batcher.ts'
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
  LatestPage,
  LatestQuery,
  Lease,
  LeaseRequest,
  ReplicaBackend,
  ReplicaState,
  StoredOperation,
} from '../replica-backend.ts'
import { applyBatch, type Acknowledged } from './write/batch.ts'
import { RedisCaller } from './connection/caller.ts'
import { refreshSettings, refuseEviction } from './connection/eviction.ts'
import { applySpread, breakLock, sweepGroups } from './write/groups.ts'
import { removeHints, takeLease, trust } from './upkeep/leases.ts'
import { listKeys, listLatest } from './read/listing.ts'
import { damagedParts, mendParts } from './upkeep/mend.ts'
import { openRouter } from './connection/open-router.ts'
import {
  resolveRedisOptions,
  whereOf,
  type RedisOptions,
  type ResolvedRedisOptions,
} from './connection/options.ts'
import { connectError } from './connection/redis-error.ts'
import { digestRange, repairRecords, scanRange } from './read/ranges.ts'
import * as reads from './read/reads.ts'
import { checkStorable } from './keyspace/record.ts'
import { rewriteFiles } from './upkeep/rewrite-files.ts'
import type { RedisRouter } from './connection/router.ts'
import { RedisSchema } from './keyspace/schema.ts'
import { durabilityOf, type RedisServerInfo } from './connection/server-info.ts'
import { ScriptRunner } from './keyspace/script-runner.ts'

/** Settings may be changed while the server runs: they are read again when older than this. */
const SETTINGS_MS_MAX = 10_000
/** How long servers may take to write their files anew. Milliseconds. */
const PURGE_MS = 60_000
/** Longest that `disconnect` waits for calls in flight. Milliseconds. */
const DRAIN_MS_MAX = 2_000

/** One opening of the backend: all that ends with `disconnect`. */
interface Opened {
  readonly router: RedisRouter
  readonly runner: ScriptRunner
  readonly schema: RedisSchema
  readonly batchers: Map<number, Batcher>
}

/**
 * A Redis or Valkey server, one behind Sentinels or a Cluster. Redis 6.2 or newer.
 *
 * A call fails at its deadline at the latest, and no command is ever sent twice without its caller
 * knowing. While the server is away calls fail at once; they work again when it is back. A server
 * that has lost acknowledged changes gets a new identity. Not promised: that an acknowledged write
 * survives a crash, unless `getDurability` says so; and on a Cluster, that a listing or digest shows
 * a group over several shards whole while it is being applied; calls for a slot that is being moved
 * wait until it has been.
 */
export class RedisDatabaseBackend extends ReplicaBase implements ReplicaBackend {
  readonly #options: ResolvedRedisOptions
  readonly #inFlight = new Set<Promise<unknown>>()
  #opened: Opened | undefined
  #settingsAt = 0

  constructor(options: RedisOptions, env: Env = nodeEnv()) {
    super(env)
    this.#options = resolveRedisOptions(options)
  }

  getBackendType(): string {
    return 'redis'
  }

  judgesConditions(): boolean {
    return true
  }

  isConnected(): boolean {
    return this.#opened?.runner.ready === true
  }

  getDurability(): Durability {
    const router = this.#opened?.router
    return durabilityOf(router?.servers ?? [], router?.hasFailover === true)
  }

  getServerIds(): readonly string[] {
    return this.getServers().map(({ runId }) => runId)
  }

  /** What the servers say of themselves, as last read; empty before `connect`. */
  getServers(): readonly RedisServerInfo[] {
    return this.#opened?.router.servers ?? []
  }

  /**
   * Connects, and makes the database where there is none. Rejects with a `StorageConnectionError`
   * when the server is away; later calls work by themselves once it is back. Rejects with `UNSUPPORTED`
   * when the server may evict what it holds.
   */
  async connect(): Promise<void> {
    const { router, runner } = (this.#opened ??= this.#open())
    try {
      await router.connect()
      refuseEviction(router.servers, 'database')
      await runner.open({ timeoutMs: this.#options.connection.connectTimeoutMs })
      await sweepGroups(runner)
    } catch (error) {
      const isKnown = isStorageError(error, 'UNSUPPORTED') || isStorageError(error, 'CLOSED')
      if (isKnown || isStorageError(error, 'INVALID_ARGUMENT')) throw error
      throw connectError('redis', whereOf(this.#options.connection), error)
    }
  }

  /** Waits for calls in flight, though not for long; what is queued is rejected with `CLOSED`. */
  async disconnect(): Promise<void> {
    const opened = this.#opened
    this.#opened = undefined
    if (opened === undefined) return
    for (const batcher of opened.batchers.values()) batcher.close()
    const stop = new AbortController()
    const drained = Promise.allSettled(this.#inFlight).finally(() => stop.abort())
    await Promise.race([drained, sleep(this.env, DRAIN_MS_MAX, stop.signal)])
    opened.runner.close()
    opened.router.close()
  }

  async apply(operations: readonly Operation[], options: ApplyOptions = {}): Promise<ApplyResult> {
    const { conditions = [] } = options
    checkStorable(operations, conditions)
    const opened = this.#check()
    const { layout } = await opened.runner.open(options)
    const shards = new Set([...operations, ...conditions].map(({ key }) => layout.shardOf(key)))
    if (shards.size > 1) {
      const { runner, schema } = opened
      const limitMs = this.#options.connection.commandTimeoutMs
      const acknowledged: Acknowledged = (...change) => schema.acknowledged(...change)
      const parts = { env: this.env, runner, acknowledged }
      return await this.#track(applySpread(parts, operations, options, limitMs))
    }
    const [shard = 0] = shards
    return await this.#batcher(opened, shard).submit(operations, options)
  }

  async readRegister(key: string, options?: CallOptions): Promise<KeyRead> {
    return await this.#track(reads.readRegister(this.#runner(), key, options))
  }

  async readItems(query: ItemQuery, options?: CallOptions): Promise<ItemPage> {
    return await this.#track(reads.readItems(this.#runner(), query, options))
  }

  async readItemsById(
    key: string,
    ids: readonly string[],
    options?: CallOptions,
  ): Promise<ItemPage> {
    return await this.#track(reads.readItemsById(this.#runner(), key, ids, options))
  }

  async countItems(key: string, options?: CallOptions): Promise<CountRead> {
    return await this.#track(reads.countItems(this.#runner(), key, options))
  }

  async listKeys(query: KeyQuery, options?: CallOptions): Promise<KeyPage> {
    return await this.#track(listKeys(this.#runner(), query, options))
  }

  async listLatest(query: LatestQuery, options?: CallOptions): Promise<LatestPage> {
    return await this.#track(listLatest(this.#runner(), query, options))
  }

  async readState(writer: string, options?: CallOptions): Promise<ReplicaState> {
    const runner = this.#runner()
    this.#refreshSettings()
    return await this.#track(reads.readState(runner, writer, options))
  }

  async readHints(options?: CallOptions): Promise<HintList> {
    return await this.#track(reads.readHints(this.#runner(), options))
  }

  async removeHints(hints: readonly Hint[], options?: FencedOptions): Promise<void> {
    await this.#track(removeHints(this.#runner(), hints, options))
  }

  async trust(identity: string, options?: FencedOptions): Promise<void> {
    await this.#track(trust(this.#runner(), identity, options))
  }

  async lease(request: LeaseRequest, options?: CallOptions): Promise<Lease | undefined> {
    checkLease(request)
    return await this.#track(takeLease(this.#runner(), request, options))
  }

  async digest(
    range: StampRange,
    buckets: number,
    options?: CallOptions,
  ): Promise<readonly BucketDigest[]> {
    return await this.#track(digestRange(this.#runner(), range, buckets, options))
  }

  async *scanStored(range: StampRange, options?: CallOptions): AsyncGenerator<StoredOperation> {
    yield* scanRange(this.#runner(), range, options)
  }

  async repair(operations: readonly Operation[], options?: CallOptions): Promise<number> {
    return await this.#track(repairRecords(this.#runner(), operations, options))
  }

  async *checkParts(options?: CallOptions): AsyncGenerator<DamagedPart> {
    yield* damagedParts(this.#runner(), options)
  }

  async mendParts(options?: CallOptions): Promise<void> {
    const { runner, router } = this.#check()
    await this.#track(mendParts(runner, router, options))
  }

  /** Has the servers write their append-only file and snapshot anew. */
  async purge(options: CallOptions = {}): Promise<readonly string[]> {
    const { runner, router } = this.#check()
    const { layout } = await runner.open(options)
    const keys = Array.from({ length: layout.shards }, (_, shard) => layout.meta(shard))
    const limitMs = options.timeoutMs ?? PURGE_MS
    return await this.#track(rewriteFiles(this.env, router, keys, limitMs))
  }

  #open(): Opened {
    const { connection, shards } = this.#options
    const { keyPrefix, commandTimeoutMs: timeoutMs } = connection
    const { env } = this
    const router = openRouter(env, connection)
    const caller = new RedisCaller(env, router, timeoutMs)
    const schema = new RedisSchema(env, router, caller, keyPrefix, shards)
    const unlock = breakLock
    const runner = new ScriptRunner({ env, router, caller, schema, timeoutMs, unlock })
    this.#settingsAt = env.monotonic()
    return { router, runner, schema, batchers: new Map() }
  }

  #batcher({ runner, schema, batchers }: Opened, shard: number): Batcher {
    let batcher = batchers.get(shard)
    if (batcher === undefined) {
      batcher = new Batcher({
        env: this.env,
        name: 'Redis',
        run: async (calls) =>
          await this.#track(
            applyBatch(runner, shard, calls, (...change) => schema.acknowledged(...change)),
          ),
        inFlightMax: this.#options.inFlightMax,
        timeoutMs: this.#options.connection.commandTimeoutMs,
      })
      batchers.set(shard, batcher)
    }
    return batcher
  }

  async #track<T>(call: Promise<T>): Promise<T> {
    this.#inFlight.add(call)
    try {
      return await call
    } finally {
      this.#inFlight.delete(call)
    }
  }

  #check(): Opened {
    if (this.#opened === undefined) {
      throw new StorageError('CLOSED', 'Redis backend is not connected')
    }
    return this.#opened
  }

  #runner(): ScriptRunner {
    return this.#check().runner
  }

  #refreshSettings(): void {
    const now = this.env.monotonic()
    if (now - this.#settingsAt < SETTINGS_MS_MAX) return
    this.#settingsAt = now
    const router = this.#opened?.router
    if (router !== undefined) void refreshSettings(this.env, router, 'database')
  }
}
