/*
 * Groups of changes over several keys. A change with an id becomes an operation and a condition of its own: what it
 * was made for must still stand when the group is applied. If that moved meanwhile, the change is made anew; if one of
 * the caller's conditions does not hold, the group is a `CONFLICT`.
 */
import { wantedBy, type Condition } from '../../core/conditions.ts'
import { judgePut } from '../../core/decide.ts'
import { isStorageError, StorageError } from '../../core/errors.ts'
import { groupBy } from '../../core/group-by.ts'
import { isRemoved, itemStamp, itemValue, type Item } from '../../core/merge.ts'
import { itemName, type AppendOperation, type Operation } from '../../core/operation.ts'
import type { StampClock } from '../../core/stamp.ts'
import { backoffMs, sleep } from '../../core/time.ts'
import { valuesOnly } from '../../strategy/call-simple.ts'
import type { ReadPort } from '../../strategy/read/read-port.ts'
import { ConditionFailed } from '../../strategy/write/condition-failed.ts'
import { takenId } from '../../strategy/write/write-group.ts'
import type { Guard, WriteOutcome, WritePort } from '../../strategy/write/write-port.ts'
import { checkGroup } from '../check-group.ts'
import { checkKey } from '../check-arguments.ts'
import { isExpired } from '../expiry/expiring-text.ts'
import { noteOperations } from '../expiry/expiry-keys.ts'
import { LiveReads } from '../expiry/live-reads.ts'
import { decodeRegister } from '../rescue.ts'
import type { StoreCore } from '../store-core.ts'
import type { Values } from '../values.ts'
import type { Change, ChangeResult, ChangesOptions, ChangesOutcome, Entry } from './change.ts'
import { checkedChanges, checkedOptions } from './check-changes.ts'
import type { CheckedChange, CheckedOptions } from './check-changes.ts'
import { throughExpired } from './expired-conditions.ts'

/** Times a group is made anew because an item that it changes was changed meanwhile. */
const TRIES_MAX = 24
const PAUSE = { firstMs: 2, maxMs: 200 }

/** A change as it is written: none of both where nothing has to be done and nothing be watched. */
interface Made {
  readonly change: CheckedChange
  readonly operation?: Operation
  /** What it was made for. */
  readonly condition?: Condition
  /** The item that stands as it is. */
  readonly kept?: Item
}

/** What `StrategicStorageManager` makes of `write` and `getEntry`. */
export class ConditionalWrites {
  readonly #core: StoreCore
  readonly #values: Values
  /** Also of what has expired. */
  readonly #read: ReadPort
  readonly #write: WritePort

  constructor(core: StoreCore, values: Values, read: ReadPort, write: WritePort) {
    this.#core = core
    this.#values = values
    this.#read = read
    this.#write = write
  }

  async getEntry<T>(key: string): Promise<Entry<T> | undefined> {
    checkKey(key)
    const { context } = this.#core
    const live = new LiveReads(this.#read)
    const { register } = await this.#core.run(() => live.readRegister(context, key))
    if (register === undefined) return undefined
    const value = await this.#core.run(() => decodeRegister<T>(context, key, register))
    return value === undefined ? undefined : { value, stamp: register.stamp }
  }

  async write(
    given: readonly Change[],
    options: ChangesOptions | undefined,
  ): Promise<ChangesOutcome> {
    const changes = checkedChanges(given)
    const checked = checkedOptions(options)
    let { conditions } = checked
    for (let tries = 0; ; tries++) {
      const made = await this.#core.run(() => this.#make(changes, tries > 0))
      try {
        return await this.#attempt(made, { ...checked, conditions })
      } catch (error) {
        if (!(error instanceof ConditionFailed)) throw error
        if (!isOutrun(error, checked)) conditions = await this.#anew(error, checked, conditions)
        if (tries >= TRIES_MAX) throw outrun(error)
      }
      const { env } = this.#core.context
      await this.#core.run(() => sleep(env, backoffMs(env, tries, PAUSE)))
    }
  }

  /**
   * The caller's conditions anew, when what stands instead has expired.
   *
   * @throws ConditionFailed when it has not.
   */
  async #anew(
    error: ConditionFailed,
    { conditions }: CheckedOptions,
    tried: readonly Condition[],
  ): Promise<readonly Condition[]> {
    const { failed, effect } = error
    const asked = conditions[failed.index]
    if (asked === undefined) throw error
    // The caller knows nothing of what was asked in its place.
    const told = new ConditionFailed(asked, failed, effect)
    if ('stamp' in asked || effect !== 'none') throw told
    const { context } = this.#core
    const anew = await this.#core.run(() => throughExpired(context, this.#read, conditions))
    if (wantedBy(anew[failed.index]!) === wantedBy(tried[failed.index]!)) throw told
    return anew
  }

  async #attempt(
    made: readonly Made[],
    { conditions, decide }: CheckedOptions,
  ): Promise<ChangesOutcome> {
    const operations = made.flatMap(({ operation }) => operation ?? [])
    const notes = notesOf(this.#core.context.clock, made)
    if (notes.length > 0 && this.#write.valuesOnly === true) {
      throw valuesOnly(this.#write.name, 'cannot write values that expire')
    }
    const all = [...conditions, ...made.flatMap(({ condition }) => condition ?? [])]
    if (all.length === 0 || (operations.length === 0 && conditions.length === 0)) {
      return outcomeOf(made, await this.#values.write(this.#write, [...operations, ...notes]))
    }
    if (this.#write.judgesConditions !== true) throw unjudged(this.#write.name)
    const guard = { conditions: all, decide }
    const outcome = await this.#guarded(operations, notes, guard)
    const { context } = this.#core
    // What is acknowledged under an id of the caller's is known from here on.
    const own = new Set(made.flatMap(({ change: { id } }) => id ?? []))
    context.known.acknowledged(
      outcome.operations.filter((each) => each.kind === 'put' && own.has(each.id)),
    )
    return outcomeOf(made, outcome)
  }

  async #guarded(
    operations: readonly Operation[],
    notes: readonly Operation[],
    guard: Guard,
  ): Promise<WriteOutcome> {
    const write = (all: readonly Operation[]): Promise<WriteOutcome> => {
      if (all.length > 0) checkGroup(all)
      // What was removed is absent, and yet its id is taken.
      const group = { operations: all, unique: all.some(hasOwnId), guard }
      return this.#core.run(() => this.#write.write(this.#core.context, group))
    }
    try {
      return await write([...operations, ...notes])
    } catch (error) {
      const isTold = isStorageError(error, 'UNSUPPORTED') && error.effect === 'none'
      if (notes.length === 0 || !isTold) throw error
      // Of an engine that judges groups about one key. A note of what is not there is harmless.
      await this.#values.write(this.#write, notes)
      return await write(operations)
    }
  }

  /** `again`: what stood was another thing than was thought, so that all of it is looked up. */
  async #make(changes: readonly CheckedChange[], again: boolean): Promise<readonly Made[]> {
    const wanted = changes.filter(({ kind, id }) => {
      return id !== undefined && (again || kind === 'put' || kind === 'remove')
    })
    const items = new Map<string, Item>()
    for (const [key, own] of groupBy(wanted, (change) => change.key)) {
      const ids = own.map(({ id }) => id!)
      const page = await this.#read.readItemsById(this.#core.context, key, ids)
      for (const item of page.items) items.set(itemName({ key, id: item.id }), item)
    }
    return changes.map((change) => {
      const { key, id } = change
      return this.#one(change, id === undefined ? undefined : items.get(itemName({ key, id })))
    })
  }

  #one(change: CheckedChange, found: Item | undefined): Made {
    const { kind, key } = change
    const { clock } = this.#core.context
    switch (kind) {
      case 'set':
        return { change, operation: { kind, key, stamp: clock.tick(key), value: change.text! } }
      case 'delete':
        return { change, operation: { kind, key, stamp: clock.tick(key) } }
      case 'remove':
        return this.#removed(change, found)
      case 'append':
      case 'put':
      case 'addIfAbsent':
        return this.#put(change, found)
    }
  }

  #put(change: CheckedChange, found: Item | undefined): Made {
    const { kind, key, text } = change
    const { clock } = this.#core.context
    const stamp = clock.tick(key)
    const append: AppendOperation = {
      kind: 'put',
      change: 'append',
      key,
      id: change.id ?? stamp,
      position: stamp,
      stamp,
      value: text!,
    }
    if (change.id === undefined) return { change, operation: append }
    const { id } = change
    if (found === undefined)
      return { change, operation: append, condition: { key, id, absent: true } }
    // Whoever removed it has taken the id for as long as the list stands; so has the end of its time.
    if (isRemoved(found)) throw takenId(this.#core.context, key, found)
    if (kind !== 'append' && this.#hasExpired(found)) throw expiredId(id)
    const condition = { key, id, stamp: itemStamp(found) }
    if (kind === 'addIfAbsent' || itemValue(found) === text)
      return { change, condition, kept: found }
    if (kind === 'append') {
      const verdict = judgePut(found, append, undefined, true)
      if (verdict.outcome === 'stands') return { change, condition, kept: found }
      throw takenId(this.#core.context, key, found)
    }
    const { position } = found
    const edit = { kind: 'put', change: 'edit', key, id, position, stamp, value: text! } as const
    return { change, operation: edit, condition }
  }

  #removed(change: CheckedChange, found: Item | undefined): Made {
    const { key } = change
    const id = change.id!
    if (found === undefined || isRemoved(found)) {
      return { change, condition: { key, id, absent: true } }
    }
    if (this.#hasExpired(found)) return { change, condition: { key, id, stamp: itemStamp(found) } }
    const stamp = this.#core.context.clock.tick(key)
    const { position } = found
    const operation = { kind: 'put', change: 'remove', key, id, position, stamp } as const
    return { change, operation, condition: { key, id, stamp: itemStamp(found) } }
  }

  #hasExpired(item: Item): boolean {
    return isExpired(itemValue(item) ?? '', this.#core.context.clock.now())
  }
}

/** What goes with the changes that expire. */
function notesOf(clock: StampClock, made: readonly Made[]): readonly Operation[] {
  const expiring = made.flatMap(({ change: { key, expiresAt }, operation }) => {
    if (operation === undefined || expiresAt === undefined) return []
    return [{ key, expiresAt, ...(operation.kind === 'put' && { id: operation.id }) }]
  })
  const byKey = [...groupBy(expiring, ({ key }) => key)]
  return byKey.flatMap(([key, own]) => noteOperations(clock, key, own))
}

/** An id of the caller's, which must be new. */
function hasOwnId(operation: Operation): boolean {
  if (operation.kind !== 'put' || operation.change !== 'append') return false
  return operation.id !== operation.position
}

function expiredId(id: string): StorageError {
  const why = 'has expired and cannot be used again until the list is deleted'
  return new StorageError('CONFLICT', `item id ${JSON.stringify(id)} ${why}`)
}

/** True when something that a change was made for stood no more: the caller's conditions are not at fault. */
function isOutrun(error: unknown, { conditions }: CheckedOptions): error is ConditionFailed {
  return (
    error instanceof ConditionFailed &&
    error.failed.index >= conditions.length &&
    error.effect === 'none'
  )
}

function unjudged(name: string): StorageError {
  return new StorageError('UNSUPPORTED', `the write strategy ${name} does not judge conditions`)
}

function outrun(cause: unknown): StorageError {
  const text = 'other writers changed the same items over and over'
  return new StorageError('OVERLOADED', text, { operation: 'write', cause })
}

function outcomeOf(made: readonly Made[], outcome: WriteOutcome): ChangesOutcome {
  // One for each that was sent, in their order, and what goes with those that expire.
  const operations = outcome.operations.slice(0, made.filter((each) => each.operation).length)
  const written = [...operations]
  const results = made.map(({ change, operation, kept }): ChangeResult => {
    const { key, id } = change
    const name = { key, ...(id !== undefined && { id }) }
    if (operation !== undefined) return { ...name, ...resultOf(written.shift()!) }
    return kept === undefined
      ? { ...name, changed: false }
      : { ...name, changed: false, stamp: itemStamp(kept), position: kept.position }
  })
  return { ...outcome, operations, results }
}

function resultOf(operation: Operation): Omit<ChangeResult, 'key'> {
  if (operation.kind === 'set') return { changed: true, stamp: operation.stamp }
  if (operation.kind === 'delete') return { changed: true }
  const { change, id, position, stamp } = operation
  return change === 'remove' ? { id, changed: true } : { id, changed: true, stamp, position }
}
