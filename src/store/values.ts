import { slicesOf } from '../core/slices-of.ts'
import { checkArray, PAGE_ITEMS_MAX } from '../core/limits.ts'
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
    // Without a prototype `__proto__` is a key like any other.
    const found = Object.create(null) as Record<string, T>
    await this.#core.run(async () => {
      for (const part of slicesOf([...new Set(keys)], PAGE_ITEMS_MAX)) {
        const { registers } = await read.readRegisters(this.#core.context, part)
        for (const [i, key] of part.entries()) {
          const register = registers[i]
          const value = register && (await decodeRegister<T>(this.#core.context, key, register))
          if (value !== undefined) found[key] = value
        }
      }
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
    checkKey(key)
    const stamp = this.#core.context.clock.tick(key)
    return await this.write(write, [{ kind: 'delete', key, stamp }])
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
