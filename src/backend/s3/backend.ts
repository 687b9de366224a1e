import { Deadline, deadlineOf } from '../../core/deadline.ts'
import type { BucketDigest, StampRange } from '../../core/digest.ts'
import type { Env } from '../../core/env.ts'
import {
  isStorageError,
  messageOf,
  StorageConnectionError,
  StorageError,
} from '../../core/errors.ts'
import { nodeEnv } from '../../core/node-env.ts'
import { operationBytes, type Operation } from '../../core/operation.ts'
import { sleep } from '../../core/time.ts'
import { Batcher, type BatchCall } from '../batcher.ts'
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
  StoredOperation,
} from '../replica-backend.ts'
import { isRefused, type Judged } from '../key-states.ts'
import { S3Client, type RequestCounts, type S3Call } from './protocol/client.ts'
import { openDatabase, probe, readIdentity, type Database } from './database.ts'
import { applyGroup, byKey, finishJournal, keysOf } from './groups.ts'
import { DRAIN_MS_MAX, JOURNAL_MS_MIN, PENDING_BYTES_MAX } from './protocol/limits.ts'
import { listKeys, listLatest, versionsWith } from './read/listing.ts'
import { isRefusedForGood } from './protocol/s3-error.ts'
import { damagedKeys, mendKey } from './mend.ts'
import { resolveS3Options, type ResolvedS3Options, type S3Options } from './protocol/options.ts'
import { digestRange, scanRange } from './read/ranges.ts'
import { readEachRegister } from '../read-registers.ts'
import * as reads from './read/reads.ts'

/** The calls about one key that wait for each other, and share versions. */
interface Lane {
  readonly batcher: Batcher
  users: number
}

/** One opening of the backend: all that ends with `disconnect`. */
interface Opened {
  readonly client: S3Client
  readonly stop: AbortController
  readonly lanes: Map<string, Lane>
  db: Database
}

/**
 * A bucket of S3, or of a server that speaks its protocol with conditional writes, as a database:
 * meant as a backup and to restore from. How it keeps what it is given is told in `layout.ts`,
 * `version.ts`, `compaction.ts` and `groups.ts`.
 *
 * What is acknowledged was stored by the server; groups about one key are judged and applied at one
 * moment, whatever other processes do. A clear or a removal is acknowledged when what it erased has
 * been overwritten or removed. Not promised: that a read sees a group over several keys whole while
 * it is being applied; speed: each call takes one to three round trips, and listing conversations
 * by time, digests and scans look at every key; and anything about a bucket that keeps old versions
 * of objects.
 */
export class S3Backend extends ReplicaBase implements ReplicaBackend {
  readonly #options: ResolvedS3Options
  readonly #inFlight = new Set<Promise<unknown>>()
  #opened: Opened | undefined
  #connecting: Promise<void> | undefined
  #pendingBytes = 0
  #housekeeping = false

  readonly judgesConditions = (): boolean => true

  constructor(options: S3Options, env: Env = nodeEnv()) {
    super(env)
    this.#options = resolveS3Options(options)
  }

  getBackendType(): string {
    return 's3'
  }

  isConnected(): boolean {
    return this.#opened !== undefined
  }

  getDurability(): Durability {
    return this.#options.durable
      ? { durable: true, reasons: ['S3 acknowledges what it has stored redundantly'] }
      : { durable: false, reasons: ['stated by its user (durable: false)'] }
  }

  /** Requests sent since `connect`, retries not counted. */
  getRequestCounts(): Readonly<RequestCounts> {
    return { ...(this.#opened?.client.counts ?? { get: 0, put: 0, list: 0, delete: 0 }) }
  }

  /**
   * Finds or makes the database in the bucket, which must be there. Rejects with `UNSUPPORTED` when
   * the server ignores conditional writes.
   */
  async connect(): Promise<void> {
    if (this.#opened !== undefined) return
    this.#connecting ??= this.#connect().finally(() => (this.#connecting = undefined))
    await this.#connecting
  }

  /** Waits for calls under way, though not for long; what is queued is rejected with `CLOSED`. */
  async disconnect(): Promise<void> {
    const opened = this.#opened
    this.#opened = undefined
    if (opened === undefined) return
    for (const { batcher } of opened.lanes.values()) batcher.close()
    const stop = new AbortController()
    const drained = Promise.allSettled(this.#inFlight).finally(() => stop.abort())
    await Promise.race([drained, sleep(this.env, DRAIN_MS_MAX, stop.signal)])
    opened.stop.abort(new StorageError('CLOSED', 'S3 backend is not connected'))
  }

  async apply(operations: readonly Operation[], options: ApplyOptions = {}): Promise<ApplyResult> {
    const opened = this.#check()
    checkSignal(options.signal)
    const bytes = operations.reduce((sum, operation) => sum + operationBytes(operation), 0)
    if (this.#pendingBytes + bytes > PENDING_BYTES_MAX) {
      throw new StorageError('OVERLOADED', `S3 has ${PENDING_BYTES_MAX} bytes waiting`)
    }
    const keys = keysOf(operations, options.conditions)
    this.#pendingBytes += bytes
    try {
      return keys.length === 1
        ? await this.#inLane(opened, keys[0]!, operations, options)
        : await this.#batcher((call) => this.#runGroup(opened, call)).submit(operations, options)
    } finally {
      this.#pendingBytes -= bytes
    }
  }

  async readRegister(key: string, options?: CallOptions): Promise<KeyRead> {
    return await this.#ask(options, ({ db }, call) => reads.readRegister(db, key, call))
  }

  async readRegisters(keys: readonly string[], options?: CallOptions): Promise<KeyReads> {
    return await this.#ask(options, ({ db }, call) =>
      readEachRegister(keys, this.#options.requestsMax, (key) => reads.readRegister(db, key, call)),
    )
  }

  async readItems(query: ItemQuery, options?: CallOptions): Promise<ItemPage> {
    return await this.#ask(options, ({ db }, call) => reads.readItems(db, query, call))
  }

  async readItemsById(
    key: string,
    ids: readonly string[],
    options?: CallOptions,
  ): Promise<ItemPage> {
    return await this.#ask(options, ({ db }, call) => reads.readItemsById(db, key, ids, call))
  }

  async countItems(key: string, options?: CallOptions): Promise<CountRead> {
    return await this.#ask(options, ({ db }, call) => reads.countItems(db, key, call))
  }

  async listKeys(query: KeyQuery, options?: CallOptions): Promise<KeyPage> {
    return await this.#ask(options, async ({ db, client }, call) => ({
      identity: db.identity,
      ...(await listKeys(db, client, query, call)),
    }))
  }

  async listLatest(query: LatestQuery, options?: CallOptions): Promise<LatestPage> {
    return await this.#ask(options, async ({ db, client }, call) => ({
      identity: db.identity,
      ...(await listLatest(db, client, query, call)),
    }))
  }

  /** A read and a list, at the same time. */
  async readState(writer: string, options?: CallOptions): Promise<ReplicaState> {
    return await this.#ask(options, async (opened, call) => {
      const { client } = opened
      let { db } = opened
      let [identity, marks] = await Promise.all([
        readIdentity(this.#access(client), call),
        db.marks.read(call),
      ])
      if (identity !== db.identity) {
        db = this.#replaced(opened, identity)
        marks = await db.marks.read(call)
      }
      this.#keepHouse(opened, marks)
      const cursor = marks.cursors.get(writer)
      return {
        identity,
        ...(marks.trusted !== undefined && { trusted: marks.trusted.identity }),
        hints: marks.hints,
        ...(marks.head !== undefined && { head: marks.head }),
        ...(cursor !== undefined && { cursor }),
        nowMs: client.serverNow(),
      }
    })
  }

  /** As much as `readState`: marks are objects, and listing them is one request. */
  async readHints(options?: CallOptions): Promise<HintList> {
    const { identity, hints } = await this.readState('', options)
    return { identity, hints }
  }

  async removeHints(hints: readonly Hint[], options?: FencedOptions): Promise<void> {
    await this.#ask(options, async ({ db }, call) => {
      await db.leases.check(options?.fence, call)
      await db.marks.removeHints(hints, call)
    })
  }

  async trust(identity: string, options?: FencedOptions): Promise<void> {
    await this.#ask(options, async ({ db }, call) => {
      await db.leases.check(options?.fence, call)
      await db.marks.trust(identity, call)
    })
  }

  async lease(request: LeaseRequest, options?: CallOptions): Promise<Lease | undefined> {
    checkLease(request)
    return await this.#ask(options, ({ db }, call) => db.leases.ask(request, call))
  }

  async digest(
    range: StampRange,
    buckets: number,
    options?: CallOptions,
  ): Promise<readonly BucketDigest[]> {
    return await this.#ask(options, ({ db, client }, call) =>
      digestRange(db, client, range, buckets, call),
    )
  }

  /**
   * Reads everything anew, past what is remembered. A value whose segment is damaged is empty; a
   * damaged version or index is an error that names it, since nothing is known of its key then.
   */
  async *scanStored(range: StampRange, options: CallOptions = {}): AsyncGenerator<StoredOperation> {
    const { db, client, call } = this.#unlimited(options)
    const fresh = openDatabase(this.#access(client), db.identity)
    yield* scanRange(fresh, client, range, call)
  }

  async repair(operations: readonly Operation[], options?: CallOptions): Promise<number> {
    return await this.#ask(options, async ({ db }, call) => {
      let written = 0
      for (const [key, own] of byKey(operations)) {
        written += await db.locks.run([key], () => db.writer.repair(key, own, call))
      }
      return written
    })
  }

  /** Reads the newest version of each key and its index, anew. */
  async *checkParts(options: CallOptions = {}): AsyncGenerator<DamagedPart> {
    const { db, client, call } = this.#unlimited(options)
    yield* damagedKeys(openDatabase(this.#access(client), db.identity), client, call)
  }

  /** Not trusted from then on until the other database has been compared with it. */
  async mendParts(options: CallOptions = {}): Promise<void> {
    const { db, client, call } = this.#unlimited(options)
    const fresh = openDatabase(this.#access(client), db.identity)
    await db.marks.trust('', call)
    for await (const { key } of damagedKeys(fresh, client, call)) {
      if (key === undefined) continue
      await db.locks.run([key], () => mendKey(db, fresh, client, key, call))
    }
  }

  /**
   * Ends what a process left half done that died while it erased. A clear or a removal is not
   * acknowledged before all else is gone.
   */
  async purge(options?: CallOptions): Promise<readonly string[]> {
    return await this.#ask(options, async ({ db, client }, call) => {
      for await (const { key, erases, garbage } of versionsWith(db, client, '', undefined, call)) {
        if (!erases && garbage.length === 0) continue
        await db.locks.run([key], async () => {
          const { version } = await db.reader.view(key, call)
          await db.writer.cleanUp(key, version, call)
        })
      }
      const keeps = await client.keepsVersions(call)
      const remains = [
        'parts of large uploads that were cut off, until a rule of the bucket aborts them',
        'replicas and backups of the bucket',
      ]
      if (keeps === false) return remains
      const certainly = keeps === true ? 'which it keeps' : 'if it keeps them'
      return [`old versions of objects of the bucket, ${certainly}`, ...remains]
    })
  }

  async #connect(): Promise<void> {
    const client = new S3Client(this.env, this.#options)
    const access = this.#access(client)
    const deadline = new Deadline(this.env, this.#options.callTimeoutMs)
    try {
      const identity = await deadline.during(async (signal) => {
        await probe(access, { signal })
        return await readIdentity(access, { signal })
      })
      const db = openDatabase(access, identity)
      this.#opened = { client, db, stop: new AbortController(), lanes: new Map() }
    } catch (error) {
      if (isStorageError(error, 'UNSUPPORTED') || isStorageError(error, 'CORRUPT')) throw error
      const reason = messageOf(error).replace(/^S3: /, '')
      const text = `cannot connect to S3 at ${this.#options.bucketUrl}: ${reason}`
      const permanent = isRefusedForGood(error)
      throw new StorageConnectionError('s3', text, { cause: error, permanent })
    }
  }

  /** For what takes as long as there is; ended by the caller or by `disconnect`. */
  #unlimited({ signal }: CallOptions): Pick<Opened, 'db' | 'client'> & { readonly call: S3Call } {
    const { db, client, stop } = this.#check()
    checkSignal(signal)
    const signals = [stop.signal, ...(signal === undefined ? [] : [signal])]
    return { db, client, call: { signal: AbortSignal.any(signals) } }
  }

  #access(client: S3Client): Parameters<typeof openDatabase>[0] {
    return { env: this.env, client, cacheBytes: this.#options.cacheBytes }
  }

  /** The bucket holds another database than before: nothing that is remembered is true of it. */
  #replaced(opened: Opened, identity: string): Database {
    if (opened.db.identity !== identity)
      opened.db = openDatabase(this.#access(opened.client), identity)
    return opened.db
  }

  async #inLane(
    opened: Opened,
    key: string,
    operations: readonly Operation[],
    options: ApplyOptions,
  ): Promise<ApplyResult> {
    const { lanes } = opened
    let lane = lanes.get(key)
    if (lane === undefined) {
      const batcher = this.#batcher((calls) => this.#runLane(opened, key, calls))
      lanes.set(key, (lane = { batcher, users: 0 }))
    }
    lane.users++
    try {
      return await lane.batcher.submit(operations, options)
    } finally {
      if (--lane.users === 0 && lanes.get(key) === lane) lanes.delete(key)
    }
  }

  #batcher(run: (calls: readonly BatchCall[]) => Promise<readonly ApplyResult[]>): Batcher {
    const { callTimeoutMs } = this.#options
    const track = (calls: readonly BatchCall[]): Promise<readonly ApplyResult[]> =>
      this.#track(run(calls))
    return new Batcher({
      env: this.env,
      name: 'S3',
      run: track,
      inFlightMax: 1,
      timeoutMs: callTimeoutMs,
    })
  }

  async #runLane(
    opened: Opened,
    key: string,
    calls: readonly BatchCall[],
  ): Promise<readonly ApplyResult[]> {
    return await this.#writing(opened, calls, async (db, call) => {
      return await db.locks.run([key], () => db.writer.write(key, calls, call))
    })
  }

  async #runGroup(opened: Opened, calls: readonly BatchCall[]): Promise<readonly ApplyResult[]> {
    return await this.#writing(opened, calls, async (db, call) => {
      const [group] = calls
      return [{ applied: await applyGroup(db, opened.client, group!, call) }]
    })
  }

  /**
   * Hints before the data, raised for nothing at worst; cursors after it, too low at worst. The
   * greatest stamp is too low at worst, too.
   */
  async #writing(
    opened: Opened,
    calls: readonly BatchCall[],
    write: (db: Database, call: S3Call) => Promise<readonly Judged[]>,
  ): Promise<readonly ApplyResult[]> {
    const { db } = opened
    return await this.#within(opened, {}, async (call) => {
      const hints = new Set(calls.flatMap(({ hint }) => hint ?? []))
      for (const hint of hints) await db.marks.raiseHint(hint, call)
      const answers = await write(db, call).catch((error: unknown) => {
        throw isStorageError(error, 'CORRUPT') ? rejected(error) : error
      })
      const written = calls.flatMap(({ operations }, i) =>
        isRefused(answers[i]!)
          ? []
          : operations.filter((_, n) => answers[i]!.applied[n]!.outcome === 'applied'),
      )
      const cursors = calls.flatMap(({ cursor }) => cursor ?? [])
      try {
        for (const cursor of cursors) await db.marks.wrote(written, cursor, call)
        if (cursors.length === 0) await db.marks.wrote(written, undefined, call)
      } catch (error) {
        // The data is there, whatever became of the marks.
        throw new StorageError('UNAVAILABLE', messageOf(error), { effect: 'unknown', cause: error })
      }
      return answers.map((judged) => ({ identity: db.identity, ...judged }))
    })
  }

  async #ask<T>(
    options: CallOptions | undefined,
    work: (opened: Opened, call: S3Call) => Promise<T>,
  ): Promise<T> {
    const opened = this.#check()
    checkSignal(options?.signal)
    return await this.#track(this.#within(opened, options ?? {}, (call) => work(opened, call)))
  }

  /** Ends the requests of a call when its caller, its time or `disconnect` does. */
  async #within<T>(
    { stop }: Opened,
    options: CallOptions,
    work: (call: S3Call) => Promise<T>,
  ): Promise<T> {
    const deadline = deadlineOf(this.env, options, this.#options.callTimeoutMs)
    return await deadline.during((signal) =>
      work({ signal: AbortSignal.any([stop.signal, signal]) }),
    )
  }

  /** Removes superfluous marks and finishes what a dead process left, beside the calls. */
  #keepHouse(opened: Opened, marks: Awaited<ReturnType<Database['marks']['read']>>): void {
    const { client, db } = opened
    const left = marks.journals.filter(
      ({ modifiedMs }) => client.serverNow() - modifiedMs > JOURNAL_MS_MIN,
    )
    if (this.#housekeeping || (left.length === 0 && marks.superseded.length === 0)) return
    this.#housekeeping = true
    const work = this.#within(opened, {}, async (call) => {
      await client.delete(marks.superseded, call)
      // One that cannot be finished, such as on a damaged key, must not hold up the others.
      const failures: unknown[] = []
      for (const { name } of left) {
        await finishJournal(db, client, name, call).catch((error: unknown) => failures.push(error))
      }
      if (failures.length > 0) throw failures[0]
    })
    const reported = work.catch((error: unknown) => {
      this.env.logger.warn({ error: messageOf(error) }, 'S3: what is left over stays for now')
    })
    void this.#track(reported.finally(() => (this.#housekeeping = false)))
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
    if (this.#opened === undefined) throw new StorageError('CLOSED', 'S3 backend is not connected')
    return this.#opened
  }
}

/** A key whose object is damaged takes nothing more: that must not hold up the others. */
function rejected(error: StorageError): StorageError {
  return new StorageError('REJECTED', error.message, { effect: error.effect, cause: error })
}
