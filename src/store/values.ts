import { checkArray } from '../core/limits.ts'
import type { Operation } from '../core/operation.ts'
import type { StoreCalls } from '../strategy/store-calls.ts'
import type { ReadPort } from '../strategy/read/read-port.ts'
import type { WriteOutcome, WritePort } from '../strategy/write/write-port.ts'
import { checkGroup } from './check-group.ts'
import { checkKey } from './check-arguments.ts'
import { encodeEntries, type Entries } from './new-values.ts'
import { decodeRegister } from './rescue.ts'
import type { StoreCore } from './store-core.ts'

/** Single values: what `StrategicStorageManager` does with those, whichever strategy is asked. */
export class Values implements StoreCalls {
  readonly #core: StoreCore

  constructor(core: StoreCore) {
    this.#core = core
  }

  async get<T>(read: ReadPort, key: string): Promise<T | undefined> {
    checkKey(key)
    const { context } = this.#core
    const { register } = await this.#core.run(() => read.readRegister(context, key))
    return register === undefined
      ? undefined
      : await this.#core.run(() => decodeRegister<T>(context, key, register))
  }

  async mget<T>(read: ReadPort, keys: readonly string[]): Promise<Record<string, T>> {
    checkArray('keys', keys)
    for (const key of keys) checkKey(key)
    const values = await this.#core.run(() =>
      Promise.all(keys.map((key) => this.get<T>(read, key))),
    )
    // Without a prototype `__proto__` is a key like any other.
    const found = Object.create(null) as Record<string, T>
    values.forEach((value, i) => {
      if (value !== undefined) found[keys[i]!] = value
    })
    return found
  }

  async mset(write: WritePort, entries: Entries): Promise<WriteOutcome> {
    const encoded = encodeEntries(entries)
    const { clock } = this.#core.context
    return await this.write(
      write,
      encoded.map(({ key, value }) => ({ kind: 'set', key, value, stamp: clock.tick(key) })),
    )
  }

  async set(write: WritePort, key: string, value: unknown): Promise<WriteOutcome> {
    return value === undefined
      ? await this.delete(write, key)
      : await this.mset(write, [[key, value]])
  }

  async delete(write: WritePort, key: string): Promise<WriteOutcome> {
    return await this.deleteAll(write, [key])
  }

  async deleteAll(write: WritePort, keys: readonly string[]): Promise<WriteOutcome> {
    checkArray('keys', keys)
    for (const key of keys) checkKey(key)
    const { clock } = this.#core.context
    return await this.write(
      write,
      keys.map((key) => ({ kind: 'delete', key, stamp: clock.tick(key) })),
    )
  }

  /** One group; one without operations is on no place, and asks none. */
  async write(write: WritePort, operations: readonly Operation[]): Promise<WriteOutcome> {
    if (operations.length > 0) checkGroup(operations)
    return await this.#core.run(async () =>
      operations.length === 0
        ? { operations: [], copies: [], durable: false }
        : await write.write(this.#core.context, { operations, unique: false }),
    )
  }
}
