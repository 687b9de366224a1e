import { slicesOf } from '../core/slices-of.ts'
import { checkArray, PAGE_ITEMS_MAX } from '../core/limits.ts'
import type { Operation } from '../core/operation.ts'
import type { StoreCalls } from '../strategy/store-calls.ts'
import type { ReadMark, ReadPort } from '../strategy/read/read-port.ts'
import type { WriteOutcome, WritePort } from '../strategy/write/write-port.ts'
import { checkGroup } from './check-group.ts'
import { encodeJson } from '../core/json.ts'
import { valuesOnly } from '../strategy/call-simple.ts'
import { checkKey } from './check-arguments.ts'
import { withExpiry } from './expiry/expiring-text.ts'
import { checkExpiringKey, noteOperations } from './expiry/expiry-keys.ts'
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
    const { values } = await this.readMany<T>(read, [...new Set(keys)])
    // Without a prototype `__proto__` is a key like any other.
    const found = Object.create(null) as Record<string, T>
    for (const [key, value] of values) found[key] = value
    return found
  }

  /** The values of different keys, as many of them in one call of a place as it takes. */
  async readMany<T>(
    read: ReadPort,
    keys: readonly string[],
  ): Promise<ReadMark & { readonly values: ReadonlyMap<string, T> }> {
    const { context } = this.#core
    const values = new Map<string, T>()
    let isComplete = true
    await this.#core.run(async () => {
      for (const part of slicesOf(keys, PAGE_ITEMS_MAX)) {
        const { registers, complete } = await read.readRegisters(context, part)
        isComplete &&= complete
        for (const [i, key] of part.entries()) {
          const register = registers[i]
          const value = register && (await decodeRegister<T>(context, key, register))
          if (value !== undefined) values.set(key, value)
        }
      }
    })
    return { values, complete: isComplete }
  }

  async mset(write: WritePort, entries: Entries): Promise<WriteOutcome> {
    const encoded = encodeEntries(entries)
    const { clock } = this.#core.context
    return await this.write(
      write,
      encoded.map(({ key, value }) => ({ kind: 'set', key, value, stamp: clock.tick(key) })),
    )
  }

  /** A value that is gone at that time: beside it stands, in the same group, when it is due. */
  async setExpiring(
    write: WritePort,
    key: string,
    given: unknown,
    expiresAt: number,
  ): Promise<WriteOutcome> {
    checkKey(key)
    checkExpiringKey(key)
    const value = withExpiry(encodeJson(given), expiresAt)
    if (write.valuesOnly === true) throw valuesOnly(write.name, 'cannot write values that expire')
    const { clock } = this.#core.context
    const set: Operation = { kind: 'set', key, value, stamp: clock.tick(key) }
    const notes = noteOperations(clock, key, [{ expiresAt }])
    return ofKey(key, await this.write(write, [set, ...notes]))
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

/** What a caller is told of a write: nothing of the store's own keys. */
export function ofKey(key: string, outcome: WriteOutcome): WriteOutcome {
  const operations = outcome.operations.filter((operation) => operation.key === key)
  return { ...outcome, operations }
}
