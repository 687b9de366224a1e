import type { StampRange } from '../core/digest.ts'
import type { Env } from '../core/env.ts'
import { StorageError } from '../core/errors.ts'
import { decodeJson, encodeJson } from '../core/json.ts'
import { checkText, KEY_BYTES_MAX } from '../core/limits.ts'
import { itemValue } from '../core/merge.ts'
import { checkEnv } from '../core/option-kinds.ts'
import { restamp, type Operation } from '../core/operation.ts'
import { StampClock, type Stamp } from '../core/stamp.ts'
import type { DatabaseBackend } from './database-backend.ts'
import { allKeys, itemRange } from './paged-reads.ts'
import type {
  ApplyOptions,
  ApplyResult,
  CallOptions,
  ItemPage,
  ItemQuery,
  KeyPage,
  KeyQuery,
  KeyRead,
  StoredOperation,
} from './replica-backend.ts'

/** Times an operation is stamped again before the writer gives up. */
const RESTAMPS_MAX = 5

/**
 * The plain calls of a `DatabaseBackend` and `scan`, thin on top of the replica calls. Plain calls stamp
 * for themselves; a store uses none of these.
 */
export abstract class ReplicaBase implements DatabaseBackend {
  protected readonly env: Env
  readonly #clock: StampClock

  constructor(env: Env) {
    checkEnv(env)
    this.env = env
    this.#clock = new StampClock({ now: () => env.now(), writer: env.randomBytes(8) })
  }

  abstract apply(operations: readonly Operation[], options?: ApplyOptions): Promise<ApplyResult>
  abstract readRegister(key: string, options?: CallOptions): Promise<KeyRead>
  abstract readItems(query: ItemQuery, options?: CallOptions): Promise<ItemPage>
  abstract listKeys(query: KeyQuery, options?: CallOptions): Promise<KeyPage>
  abstract scanStored(range: StampRange, options?: CallOptions): AsyncIterable<StoredOperation>
  abstract connect(): Promise<void>
  abstract disconnect(): Promise<void>
  abstract isConnected(): boolean
  abstract getBackendType(): string

  async get<T>(key: string): Promise<T | undefined> {
    checkText('key', key, KEY_BYTES_MAX)
    const { register } = await this.readRegister(key)
    return register === undefined ? undefined : decodeJson<T>(register.value)
  }

  async set<T>(key: string, value: T): Promise<void> {
    checkText('key', key, KEY_BYTES_MAX)
    const text = encodeJson(value)
    await this.#write({ kind: 'set', key, stamp: this.#clock.tick(key), value: text })
  }

  async delete(key: string): Promise<void> {
    checkText('key', key, KEY_BYTES_MAX)
    await this.#write({ kind: 'delete', key, stamp: this.#clock.tick(key) })
  }

  async append<T>(key: string, item: T): Promise<void> {
    checkText('key', key, KEY_BYTES_MAX)
    const value = encodeJson(item, 'item')
    const stamp = this.#clock.tick(key)
    await this.#write({
      kind: 'put',
      change: 'append',
      key,
      id: stamp,
      position: stamp,
      stamp,
      value,
    })
  }

  async list(prefix: string): Promise<readonly string[]> {
    return await allKeys(prefix, (query) => this.listKeys(query))
  }

  async getRange<T>(key: string, start: number, count: number): Promise<readonly T[]> {
    const items = await itemRange(key, start, count, (query) => this.readItems(query))
    return items.map((item) => decodeJson<T>(itemValue(item)!))
  }

  async *scan(range: StampRange, options?: CallOptions): AsyncGenerator<Operation> {
    for await (const { operation } of this.scanStored(range, options)) {
      if ('value' in operation && operation.value === '') {
        throw new StorageError('CORRUPT', `a value of key ${operation.key} cannot be read`)
      }
      yield operation
    }
  }

  /** @internal For a database that is new; one that is there keeps its own. */
  protected newIdentity(): string {
    return Buffer.from(this.env.randomBytes(16)).toString('hex')
  }

  async #write(operation: Operation): Promise<void> {
    let current = operation
    for (let attempt = 0; attempt < RESTAMPS_MAX; attempt++) {
      const { applied } = await this.apply([current], { decide: true })
      const answer = applied[0]!
      if (answer.outcome !== 'behind') return
      current = restamp(current, this.#next(answer.stamp, current.key))
    }
    throw new StorageError('OVERLOADED', `too many writers of key ${operation.key} at once`)
  }

  #next(above: Stamp, key: string): Stamp {
    this.#clock.observe(above, key)
    return this.#clock.tick(key)
  }
}
