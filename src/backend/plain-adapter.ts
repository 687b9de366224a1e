import { deadlineOf } from '../core/deadline.ts'
import type { BucketDigest, StampRange } from '../core/digest.ts'
import type { Env } from '../core/env.ts'
import {
  isStorageError,
  messageOf,
  StorageConnectionError,
  StorageError,
  type Effect,
} from '../core/errors.ts'
import { headOf, operationsOf, visibleItems, type KeyState } from '../core/merge.ts'
import { nodeEnv } from '../core/node-env.ts'
import type { Operation } from '../core/operation.ts'
import { boolean, byDefault, ms, value } from '../core/option-kinds.ts'
import { resolve, type OptionTable, type Resolved } from '../core/options.ts'
import { maxStamp, type Stamp } from '../core/stamp.ts'
import { compareText } from '../core/text.ts'
import { TIMER_MS_MAX, withDeadline } from '../core/time.ts'
import { Batcher } from './batcher.ts'
import { checkSignal } from './check-signal.ts'
import type { DatabaseBackend } from './database-backend.ts'
import {
  compareLatest,
  digestOperations,
  isInRange,
  isListed,
  latestOf,
  pageItems,
} from './key-states.ts'
import { PlainAdapterWriter } from './plain-adapter-writer.ts'
import { PlainDocuments, type PlainMeta } from './plain-documents.ts'
import { isDatabaseBackend } from './sources.ts'
import { ReplicaBase } from './replica-base.ts'
import { withDigest } from './stored-operations.ts'
import type {
  ApplyOptions,
  ApplyResult,
  CallOptions,
  CountRead,
  Durability,
  Hint,
  HintList,
  ItemPage,
  ItemQuery,
  KeyPage,
  KeyQuery,
  KeyRead,
  LatestKey,
  LatestPage,
  LatestQuery,
  ReplicaBackend,
  ReplicaState,
  StoredOperation,
} from './replica-backend.ts'

/** What the adapter cannot find out by itself. */
export interface PlainAdapterOptions {
  /** Whether what the backend acknowledges survives a crash of its machine. Default: not known. */
  readonly durable?: boolean
  /** Time a call may take when it names none. Milliseconds. Default: 10,000. */
  readonly timeoutMs?: number
}

export const PLAIN_ADAPTER_OPTIONS: OptionTable<PlainAdapterOptions, 'timeoutMs'> = {
  durable: boolean(),
  timeoutMs: byDefault(10_000, ms(1, TIMER_MS_MAX)),
}

const BACKEND = value<DatabaseBackend>('a DatabaseBackend', isDatabaseBackend)

/**
 * Makes a replica of a backend that has only `get`, `set` and `list`: it keeps the stamps in
 * documents of its own there (`plain-documents.ts`).
 *
 * - One process at a time may write to the backend. Two would overwrite each other's documents.
 * - A key is one document, read and written whole: the cost of a save grows with the conversation,
 *   and that of `listKeys`, `listLatest`, `digest` and `scan` with the whole database. For large
 *   histories an engine of its own is the better choice.
 * - A backend whose calls never end holds up all later writes: a call that may still write must not
 *   be overtaken. They are refused by their timeouts, with effect `none`.
 * - How durable it is, is not known unless `durable` says so.
 */
export function plainAdapter(
  backend: DatabaseBackend,
  env: Env = nodeEnv(),
  options: PlainAdapterOptions = {},
): ReplicaBackend {
  BACKEND.check('backend', backend)
  return new PlainAdapter(backend, env, resolve('', options, PLAIN_ADAPTER_OPTIONS))
}

/** Documents that are read at once when all of them are needed. */
const READS_AT_ONCE = 16

class PlainAdapter extends ReplicaBase implements ReplicaBackend {
  readonly #backend: DatabaseBackend
  readonly #documents: PlainDocuments
  readonly #writer: PlainAdapterWriter
  readonly #batcher: Batcher
  readonly #timeoutMs: number
  readonly #durable: boolean | undefined
  /** The end of the last write: writes wait for each other. */
  #tail: Promise<void> = Promise.resolve()
  #identity = ''
  #ready = false
  #owned = false

  constructor(
    backend: DatabaseBackend,
    env: Env,
    { durable, timeoutMs }: Resolved<typeof PLAIN_ADAPTER_OPTIONS>,
  ) {
    super(env)
    this.#backend = backend
    this.#durable = durable
    this.#timeoutMs = timeoutMs
    this.#documents = new PlainDocuments(backend)
    this.#writer = new PlainAdapterWriter(this.#documents, () => this.#newIdentity())
    this.#batcher = new Batcher({
      env,
      name: backend.getBackendType(),
      run: (calls) => this.#serially(() => this.#writer.write(calls, this.#identity)),
      inFlightMax: 1,
      timeoutMs: this.#timeoutMs,
    })
    this.#batcher.close()
  }

  getBackendType(): string {
    return this.#backend.getBackendType()
  }

  getDurability(): Durability {
    const type = this.getBackendType()
    if (this.#durable === undefined) {
      return { durable: false, reasons: [`how durable ${type} is, is not known to the adapter`] }
    }
    return { durable: this.#durable, reasons: [`as stated for ${type} by its user`] }
  }

  judgesConditions(): boolean {
    return true
  }

  isConnected(): boolean {
    return this.#ready && this.#backend.isConnected()
  }

  async connect(): Promise<void> {
    if (this.#ready) return
    try {
      if (!this.#backend.isConnected()) {
        await this.#backend.connect()
        this.#owned = true
      }
      await this.#serially(() => this.#recover())
    } catch (error) {
      throw new StorageConnectionError(this.getBackendType(), messageOf(error), { cause: error })
    }
    this.#batcher.open()
    this.#ready = true
  }

  /** Waits for the write under way. A backend that was handed in connected stays connected. */
  async disconnect(): Promise<void> {
    this.#ready = false
    this.#batcher.close()
    try {
      await withDeadline(this.env, this.#timeoutMs, 'the write under way', this.#tail)
    } finally {
      if (this.#owned) await this.#backend.disconnect()
      this.#owned = false
    }
  }

  apply(operations: readonly Operation[], options?: ApplyOptions): Promise<ApplyResult> {
    return this.#batcher.submit(operations, options)
  }

  async readRegister(key: string, options?: CallOptions): Promise<KeyRead> {
    const state = await this.#read(key, options)
    const { register } = state
    return { ...this.#mark(state), ...(register !== undefined && { register }) }
  }

  async readItems(query: ItemQuery, options?: CallOptions): Promise<ItemPage> {
    const state = await this.#read(query.key, options)
    return { ...this.#mark(state), ...pageItems(state, query) }
  }

  async readItemsById(
    key: string,
    ids: readonly string[],
    options?: CallOptions,
  ): Promise<ItemPage> {
    const state = await this.#read(key, options)
    const items = ids.map((id) => state.items.get(id)).filter((item) => item !== undefined)
    return { ...this.#mark(state), items, done: true }
  }

  async countItems(key: string, options?: CallOptions): Promise<CountRead> {
    const state = await this.#read(key, options)
    return { ...this.#mark(state), count: visibleItems(state).length }
  }

  async listKeys({ prefix, after, limit }: KeyQuery, options?: CallOptions): Promise<KeyPage> {
    const keys: string[] = []
    const collect = async (): Promise<void> => {
      for await (const [key, state] of this.#states(prefix, after)) {
        if (isListed(state) && keys.push(key) > limit) return
      }
    }
    await this.#ask(collect, options)
    return { identity: this.#identity, keys: keys.slice(0, limit), done: keys.length <= limit }
  }

  async listLatest(query: LatestQuery, options?: CallOptions): Promise<LatestPage> {
    const { prefix, before, limit } = query
    const keys: LatestKey[] = []
    const collect = async (): Promise<void> => {
      for await (const [key, state] of this.#states(prefix)) {
        const latest = latestOf(state)
        if (latest === undefined) continue
        if (before === undefined || compareLatest({ key, latest }, before) > 0) {
          keys.push({ key, latest })
        }
      }
    }
    await this.#ask(collect, options)
    keys.sort(compareLatest)
    return { identity: this.#identity, keys: keys.slice(0, limit), done: keys.length <= limit }
  }

  async readState(writer: string, options?: CallOptions): Promise<ReplicaState> {
    const meta = await this.#ask(() => this.#readMeta(), options)
    // A database that was emptied under us has a new identity from here on.
    this.#identity = meta.identity
    const cursor = meta.cursors.get(writer)
    const { head } = this.#writer
    return {
      identity: meta.identity,
      ...(meta.trusted !== undefined && { trusted: meta.trusted }),
      hints: [...meta.hints].map(([name, count]) => ({ writer: name, count })),
      hintVersion: meta.hintCount,
      ...(head !== undefined && { head }),
      ...(cursor !== undefined && { cursor }),
    }
  }

  async readHints(options?: CallOptions): Promise<HintList> {
    const { identity, hints, hintCount } = await this.#ask(() => this.#readMeta(), options)
    this.#identity = identity
    return {
      identity,
      hints: [...hints].map(([writer, count]) => ({ writer, count })),
      hintVersion: hintCount,
    }
  }

  async removeHints(hints: readonly Hint[], options?: CallOptions): Promise<void> {
    await this.#change((meta) => {
      const left = new Map(meta.hints)
      for (const { writer, count } of hints) if (left.get(writer) === count) left.delete(writer)
      return { ...meta, hints: left }
    }, options)
  }

  async trust(identity: string, options?: CallOptions): Promise<void> {
    await this.#change((meta) => ({ ...meta, trusted: identity }), options)
  }

  async digest(
    range: StampRange,
    buckets: number,
    options?: CallOptions,
  ): Promise<readonly BucketDigest[]> {
    const operations: Operation[] = []
    const collect = async (): Promise<void> => {
      for await (const operation of this.scan(range)) operations.push(operation)
    }
    await this.#ask(collect, options)
    return digestOperations(operations, range, buckets)
  }

  async *scanStored(
    range: StampRange,
    { signal }: CallOptions = {},
  ): AsyncIterable<StoredOperation> {
    this.#check()
    checkSignal(signal)
    try {
      for await (const [key, state] of this.#states('')) {
        checkSignal(signal)
        const operations = operationsOf(key, state)
        yield* operations.filter((operation) => isInRange(operation, range)).map(withDigest)
      }
    } catch (error) {
      throw this.#failure(error, 'none')
    }
  }

  async #recover(): Promise<void> {
    await this.#writer.recover()
    this.#identity = (await this.#writer.openMeta()).identity
    for await (const [, state] of this.#states('')) {
      this.#writer.observe(maxStamp(state.deletedThrough, headOf(state)))
    }
  }

  async #readMeta(): Promise<PlainMeta> {
    const meta = await this.#documents.readMeta()
    return meta ?? (await this.#serially(() => this.#writer.openMeta()))
  }

  async #change(
    change: (meta: PlainMeta) => PlainMeta,
    options: CallOptions | undefined,
  ): Promise<void> {
    const update = (): Promise<void> => this.#serially(() => this.#writer.updateMeta(change))
    await this.#ask(update, options, 'unknown')
  }

  async #read(key: string, options: CallOptions | undefined): Promise<KeyState> {
    return await this.#ask(() => this.#writer.readState(key), options)
  }

  /** The states of all keys with a prefix in order, some read ahead. */
  async *#states(prefix: string, after?: string): AsyncIterable<[string, KeyState]> {
    const all = await this.#documents.listKeys(prefix)
    const keys = after === undefined ? all : all.filter((key) => compareText(key, after) > 0)
    for (let i = 0; i < keys.length; i += READS_AT_ONCE) {
      const some = keys.slice(i, i + READS_AT_ONCE)
      const states = await Promise.all(some.map((key) => this.#writer.readState(key)))
      for (const [j, key] of some.entries()) yield [key, states[j]!]
    }
  }

  /** Runs after every earlier task has ended. */
  #serially<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(task)
    this.#tail = result.then(
      () => {},
      () => {},
    )
    return result
  }

  /** Runs a call within its time, and turns what the backend throws into a `StorageError`. */
  async #ask<T>(
    work: () => Promise<T>,
    options: CallOptions = {},
    effect: Effect = 'none',
  ): Promise<T> {
    this.#check()
    checkSignal(options.signal)
    const deadline = deadlineOf(this.env, options, this.#timeoutMs)
    try {
      return await deadline.wait(work(), () =>
        Promise.reject(deadline.error(this.getBackendType(), { effect })),
      )
    } catch (error) {
      throw this.#failure(error, effect)
    }
  }

  #failure(error: unknown, effect: Effect): StorageError {
    if (isStorageError(error)) return error
    const message = `${this.getBackendType()} failed: ${messageOf(error)}`
    return new StorageError('UNAVAILABLE', message, { effect, cause: error })
  }

  #mark(state: KeyState): { identity: string; deletedThrough?: Stamp } {
    const { deletedThrough } = state
    return { identity: this.#identity, ...(deletedThrough !== undefined && { deletedThrough }) }
  }

  #newIdentity(): string {
    return Buffer.from(this.env.randomBytes(16)).toString('hex')
  }

  #check(): void {
    if (this.#ready) return
    throw new StorageError('CLOSED', `${this.getBackendType()} is not connected`)
  }
}
