/*
 * Groups over several keys, for what belongs to a conversation beside its messages: all of a group happens
 * at a place, or nothing of it. Nothing here decides whether an id is new: of two puts of one id the later
 * one stands.
 */
import { isStorageError, StorageError } from '../core/errors.ts'
import { encodeJson } from '../core/json.ts'
import { checkText, MESSAGE_ID_BYTES_MAX } from '../core/limits.ts'
import type { Operation } from '../core/operation.ts'
import { remember } from '../core/lru.ts'
import { counterOf, pastStamp, randomTail, withCounter } from '../core/past-stamp.ts'
import { stampMs, type Stamp } from '../core/stamp.ts'
import type { Guard, WriteOutcome, WritePort } from '../strategy/write/write-port.ts'
import { checkKey } from './check-arguments.ts'
import { checkGroup } from './check-group.ts'
import type { StoreCore } from './store-core.ts'
import type { Values } from './values.ts'

/** Times whose counters are remembered. */
const TIMES_MAX = 10_000

/** One change of a group. */
export type GroupChange =
  | {
      /** Appends an item, or moves one that stands to the end, with this value. */
      readonly kind: 'put'
      readonly key: string
      readonly id: string
      readonly value: unknown
    }
  /** Sets the value of a key. */
  | { readonly kind: 'set'; readonly key: string; readonly value: unknown }
  /** Removes an item, whatever its place; its id stays taken until the list is deleted. */
  | { readonly kind: 'remove'; readonly key: string; readonly id: string }
  /** Deletes value and list of a key. */
  | { readonly kind: 'delete'; readonly key: string }

/** An item that stands where its own time puts it. */
export interface PastItem {
  readonly key: string
  readonly id: string
  readonly value: unknown
  readonly position: Stamp
}

/** Writes of groups: what `StrategicStorageManager` has for the chat layer. */
export interface StoreGroups {
  /** Errors as those of any write; with a guard also `CONFLICT`. */
  write(changes: readonly GroupChange[], guard?: Guard): Promise<WriteOutcome>
  /** Merges items at positions of the past; one in a deleted part of its list is not there afterwards. */
  place(items: readonly PastItem[]): Promise<WriteOutcome>
  /** A stamp that nobody else makes, as an id. */
  newId(): Stamp
  /** A stamp of this time, unlike any other. Unix milliseconds; what is later than now counts as now. */
  stampAt(ms: number): Stamp
  /** A stamp of this time by this writer, greater than `after`. */
  stampAfter(ms: number, after: Stamp | undefined): Stamp
}

export class Groups implements StoreGroups {
  readonly #core: StoreCore
  readonly #values: Values
  readonly #write: WritePort
  /** Of times that have passed, the last counter that was given out. */
  readonly #counters = new Map<number, number>()

  constructor(core: StoreCore, values: Values, write: WritePort) {
    this.#core = core
    this.#values = values
    this.#write = write
  }

  /** Errors as those of any write. */
  async write(changes: readonly GroupChange[], guard?: Guard): Promise<WriteOutcome> {
    const write = (): Promise<WriteOutcome> => {
      const operations = changes.map((change) => this.#operationOf(change))
      if (guard === undefined) return this.#values.write(this.#write, operations)
      return this.#guarded(operations, guard)
    }
    try {
      return await write()
    } catch (error) {
      // A removal from a list that was deleted by a clock ahead of ours, which is known by now.
      if (!isStorageError(error, 'NOT_FOUND')) throw error
      return await write()
    }
  }

  /** The same if the conditions hold. */
  async #guarded(operations: readonly Operation[], guard: Guard): Promise<WriteOutcome> {
    checkGroup(operations)
    if (this.#write.judgesConditions !== true) {
      const { name } = this.#write
      throw new StorageError('UNSUPPORTED', `the write strategy ${name} does not judge conditions`)
    }
    const group = { operations, unique: false, guard }
    return await this.#core.run(() => this.#write.write(this.#core.context, group))
  }

  /**
   * Merges items at positions of the past. An item whose place lies in a deleted part of its list is not
   * there afterwards.
   */
  async place(items: readonly PastItem[]): Promise<WriteOutcome> {
    const operations = items.map(({ key, id, value, position }): Operation => {
      checkItem(key, id)
      const at = { position, stamp: position }
      return { kind: 'put', change: 'append', key, id, ...at, value: encodeJson(value) }
    })
    checkGroup(operations)
    const group = { operations, unique: false, mergeOnly: true }
    return await this.#core.run(() => this.#write.write(this.#core.context, group))
  }

  /** A stamp that nobody else makes, as an id. */
  newId(): Stamp {
    return this.#core.context.clock.tick()
  }

  /** A stamp of this time, unlike any other. Unix milliseconds; what is later than now counts as now. */
  stampAt(ms: number): Stamp {
    const { clock, env } = this.#core.context
    return pastStamp(Math.min(ms, clock.now()), randomTail(env.randomBytes(8)))
  }

  /** A stamp of this time by this writer, greater than `after`. Those of one time are in the order of the calls. */
  stampAfter(ms: number, after: Stamp | undefined): Stamp {
    const { clock } = this.#core.context
    let stamp = pastStamp(Math.min(ms, clock.now()), clock.writerId, after)
    const used = this.#counters.get(stampMs(stamp))
    if (used !== undefined && used >= counterOf(stamp)) {
      const last = pastStamp(stampMs(stamp), clock.writerId)
      stamp = pastStamp(stampMs(stamp), clock.writerId, withCounter(last, used))
    }
    remember(this.#counters, stampMs(stamp), counterOf(stamp), TIMES_MAX)
    return stamp
  }

  #operationOf(change: GroupChange): Operation {
    checkKey(change.key)
    const { key } = change
    if (change.kind === 'delete') {
      return { kind: 'delete', key, stamp: this.#core.context.clock.tick(key) }
    }
    if (change.kind === 'set') {
      const stamp = this.#core.context.clock.tick(key)
      return { kind: 'set', key, stamp, value: encodeJson(change.value) }
    }
    const { id } = change
    checkItem(key, id)
    const position = this.#core.context.clock.tick(key)
    const at = { key, id, position, stamp: position } as const
    return change.kind === 'remove'
      ? { kind: 'put', change: 'remove', ...at }
      : { kind: 'put', change: 'append', ...at, value: encodeJson(change.value) }
  }
}

function checkItem(key: string, id: string): void {
  checkKey(key)
  checkText('id', id, MESSAGE_ID_BYTES_MAX)
}
