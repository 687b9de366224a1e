/*
 * Conditions of a group: what must stand at the moment at which it is applied. One database judges them, in
 * the transaction, or under the locks, in which it applies the group; `judgeConditions` is the definition that
 * every engine is compared with.
 */
import { itemStamp, itemValue, type Item, type KeyState, type Register } from './merge.ts'
import { itemName, type Operation } from './operation.ts'
import { maxStamp, type Stamp } from './stamp.ts'

/** The key has no value. Its list does not matter. */
export interface ValueAbsent {
  readonly key: string
  readonly absent: true
}

/** The key has a value, and it is the one that was set with this stamp. */
export interface ValueStands {
  readonly key: string
  readonly stamp: Stamp
}

/** The list shows no item of this id. One that was removed counts as absent. */
export interface ItemAbsent {
  readonly key: string
  readonly id: string
  readonly absent: true
}

/** The list shows an item of this id, and this stamp is that of its latest change. */
export interface ItemStands {
  readonly key: string
  readonly id: string
  readonly stamp: Stamp
}

/** The latest item that the list shows stands at this position; null: it shows none. */
export interface LastStands {
  readonly key: string
  readonly last: Stamp | null
}

/** What must stand for a group to be applied. */
export type Condition = ValueAbsent | ValueStands | ItemAbsent | ItemStands | LastStands

/** The first condition of a group that did not hold, and what stood instead. */
export interface FailedCondition {
  /** Its place among the conditions of the group, from 0. */
  readonly index: number
  /** The stamp, or the position, that stands; absent when nothing does. */
  readonly stands?: Stamp
}

/** What the conditions of a group are judged by. */
export interface Standing {
  registerOf(key: string): Register | undefined
  itemOf(key: string, id: string): Item | undefined
  /** Position of the latest visible item. */
  latestOf(key: string): Stamp | undefined
  deletedThroughOf(key: string): Stamp | undefined
}

/**
 * The first condition that does not hold; undefined when all do, or when the group has been applied here before:
 * an answer may be lost, and what stands then is its own.
 */
export function judgeConditions(
  conditions: readonly Condition[],
  operations: readonly Operation[],
  standing: Standing,
): FailedCondition | undefined {
  for (const [index, condition] of conditions.entries()) {
    const stands = standsFor(condition, standing)
    if (stands === wantedBy(condition)) continue
    if (operations.some((operation) => isThere(operation, standing))) return undefined
    return stands === undefined ? { index } : { index, stands }
  }
  return undefined
}

/** What stands where a condition looks. */
function standsFor(condition: Condition, standing: Standing): Stamp | undefined {
  if ('last' in condition) return standing.latestOf(condition.key)
  if (!('id' in condition)) return standing.registerOf(condition.key)?.stamp
  const item = standing.itemOf(condition.key, condition.id)
  return item === undefined || itemValue(item) === undefined ? undefined : itemStamp(item)
}

/** What a condition wants to stand there; undefined: nothing. */
export function wantedBy(condition: Condition): Stamp | undefined {
  if ('last' in condition) return condition.last ?? undefined
  return 'stamp' in condition ? condition.stamp : undefined
}

/** True when the operation stands as it is. Of a removal nothing tells that it was this one. */
function isThere(operation: Operation, standing: Standing): boolean {
  const { key, stamp } = operation
  switch (operation.kind) {
    case 'set':
      return standing.registerOf(key)?.stamp === stamp
    case 'delete':
      return standing.deletedThroughOf(key) === stamp
    case 'put': {
      if (operation.change === 'remove') return false
      const item = standing.itemOf(key, operation.id)
      return operation.change === 'append'
        ? item?.appendedAt === operation.position
        : item?.editedAt === stamp && item.editedOf === operation.position
    }
  }
}

/** For engines that have whole states of keys at hand. */
export function standingOf(stateOf: (key: string) => KeyState | undefined): Standing {
  return {
    registerOf: (key) => stateOf(key)?.register,
    itemOf: (key, id) => stateOf(key)?.items.get(id),
    latestOf: (key) => latestVisible(stateOf(key)),
    deletedThroughOf: (key) => stateOf(key)?.deletedThrough,
  }
}

/** Position of the latest visible item. */
export function latestVisible(state: KeyState | undefined): Stamp | undefined {
  let latest: Stamp | undefined
  for (const item of state?.items.values() ?? []) {
    if (itemValue(item) !== undefined) latest = maxStamp(latest, item.position)
  }
  return latest
}

/** The items that conditions are about, by key and id. */
export function itemsOfConditions(
  conditions: readonly Condition[],
): readonly { readonly key: string; readonly id: string }[] {
  const found = new Map<string, { key: string; id: string }>()
  for (const condition of conditions) {
    if (!('id' in condition)) continue
    const { key, id } = condition
    found.set(itemName({ key, id }), { key, id })
  }
  return [...found.values()]
}

/** A condition in words, for messages. */
export function showCondition(condition: Condition): string {
  const key = JSON.stringify(condition.key)
  if ('last' in condition) {
    const { last } = condition
    return last === null ? `no item in ${key}` : `last item of ${key} at ${last}`
  }
  const what =
    'id' in condition ? `item ${JSON.stringify(condition.id)} of ${key}` : `value of ${key}`
  return 'stamp' in condition ? `${what} with stamp ${condition.stamp}` : `${what} absent`
}
