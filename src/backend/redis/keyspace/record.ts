import { wantedBy, type Condition, type FailedCondition } from '../../../core/conditions.ts'
import type { Verdict } from '../../../core/decide.ts'
import { digestOf } from '../../../core/digest.ts'
import { StorageError } from '../../../core/errors.ts'
import type { JsonText } from '../../../core/json.ts'
import { itemOfParts, operationsOfItem, type Item } from '../../../core/merge.ts'
import type { Operation, PutOperation } from '../../../core/operation.ts'
import { isStamp, STAMP_MIN, type Stamp } from '../../../core/stamp.ts'

/** An item from its record; `scripts/merge-lua.ts` has the format. */
export function itemOfRecord(id: string, record: string): Item {
  const position = record.slice(1, 37) as Stamp
  const kind = record[0]
  if (kind === 'q') return { id, position, removedOf: position }
  if (kind === 'a') {
    return { id, position, appendedAt: position, appended: record.slice(49) as JsonText }
  }
  const mixed = kind === 'y' ? mixedItem(id, record) : undefined
  if (mixed !== undefined) return mixed
  throw new StorageError('CORRUPT', `Redis: item ${JSON.stringify(id)} has an unknown record`)
}

/** The item, or undefined where its record has been damaged so much that it cannot be read. */
export function readRecord(id: string, record: string): Item | undefined {
  try {
    const item = itemOfRecord(id, record)
    const { position, appendedAt, editedOf, editedAt, removedOf } = item
    const places = [position, appendedAt, editedOf, editedAt, removedOf]
    return places.every((place) => place === undefined || isStamp(place)) ? item : undefined
  } catch {
    return undefined
  }
}

/** A `StoredOperation` of an item. */
export interface StoredPut {
  readonly operation: PutOperation
  readonly digest: number
}

/** Where the digest of each part is in a record of several. */
const DIGESTS_AT = { append: 73, edit: 157, remove: 205 } as const

/** The operations that make the item, each with the digest that its record has. */
export function storedOfRecord(key: string, item: Item, record: string): StoredPut[] {
  const isMixed = record[0] === 'y'
  return operationsOfItem(key, item).map((operation) => {
    const at = isMixed ? DIGESTS_AT[operation.change] : 37
    return { operation, digest: Number.parseInt(record.slice(at, at + 12), 16) }
  })
}

function mixedItem(id: string, record: string): Item | undefined {
  const stampIn = (at: number): Stamp => record.slice(at, at + 36) as Stamp
  const [appendedAt, editedOf, editedAt, removedOf] = [
    stampIn(37),
    stampIn(85),
    stampIn(121),
    stampIn(169),
  ]
  const split = record.indexOf('\0', 217)
  return itemOfParts(id, {
    ...(appendedAt !== STAMP_MIN && {
      appendedAt,
      appended: record.slice(217, split) as JsonText,
    }),
    ...(editedOf !== STAMP_MIN && {
      editedOf,
      editedAt,
      edited: record.slice(split + 1) as JsonText,
    }),
    ...(removedOf !== STAMP_MIN && { removedOf }),
  })
}

/** An answer to one operation; `scripts/judge-lua.ts` has the format. */
export function appliedOf(answer: string, id: string): Verdict {
  const isCleared = answer[1] !== '-'
  const rest = answer.slice(isCleared ? 37 : 2)
  const mark = isCleared ? { deletedThrough: answer.slice(1, 37) as Stamp } : {}
  switch (answer[0]) {
    case 'a':
      return { outcome: 'applied', ...mark }
    case 's':
      return { outcome: 'stands', item: itemOfRecord(id, rest), ...mark }
    case 'c':
      return { outcome: 'conflict', item: itemOfRecord(id, rest), ...mark }
    case 'b':
      return {
        outcome: 'behind',
        stamp: rest.slice(0, 36) as Stamp,
        ...(rest.length > 36 && { position: rest.slice(36) as Stamp }),
        ...mark,
      }
    case 'g':
      return { outcome: 'gone', ...mark }
    case 'w':
      return { outcome: 'withheld', ...mark }
    default:
      throw new StorageError('CORRUPT', `Redis: unknown answer ${JSON.stringify(answer[0])}`, {
        effect: 'unknown',
      })
  }
}

/** An operation as scripts read it (`scripts/judge-lua.ts`); `key` is its number among the call's keys. */
export function argumentsOf(operation: Operation, key: number): readonly [string, string, string] {
  const { kind, id, position, stamp, digest, value } = fieldsOf(operation)
  return [kind + digest + stamp + position + key, id === position ? '' : id, value]
}

/** What scripts know of an operation. What it does not have is empty, and a position `STAMP_MIN`. */
export interface OperationFields {
  readonly kind: string
  readonly id: string
  readonly position: Stamp
  readonly stamp: Stamp
  readonly digest: string
  readonly value: string
}

export function fieldsOf(operation: Operation): OperationFields {
  const digest = digestOf(operation).toString(16).padStart(12, '0')
  const { stamp } = operation
  switch (operation.kind) {
    case 'set':
      return { kind: 's', id: '', position: STAMP_MIN, stamp, digest, value: operation.value }
    case 'delete':
      return { kind: 'd', id: '', position: STAMP_MIN, stamp, digest, value: '' }
    case 'put': {
      const { id, position, change } = operation
      const value = change === 'remove' ? '' : operation.value
      return { kind: change[0]!, id, position, stamp, digest, value }
    }
  }
}

/** A condition as scripts read it (`scripts/conditions-lua.ts`); `key` is its number among the call's keys. */
export function argumentsOfCondition(
  condition: Condition,
  key: number,
): readonly [string, string, string] {
  const id = 'id' in condition ? condition.id : ''
  const kind = 'last' in condition ? 'l' : 'id' in condition ? 'i' : 'v'
  return [`${kind}${key}`, wantedBy(condition) ?? '', id]
}

/** A condition that does not hold, as scripts say it: its number, and what stands. */
export function failedOf(text: string): FailedCondition {
  const [index = '0', stands = ''] = text.split(' ')
  return { index: Number(index), ...(stands !== '' && { stands: stands as Stamp }) }
}

/** Redis would store these, but not give them back as they were, or cut them in a member. */
export function checkStorable(
  operations: readonly Operation[],
  conditions: readonly Condition[] = [],
): void {
  for (const condition of conditions) {
    check('key', condition.key)
    if ('id' in condition) check('id', condition.id)
  }
  for (const operation of operations) {
    check('key', operation.key)
    if (operation.kind === 'put') check('id', operation.id)
  }
}

function check(name: string, text: string): void {
  if (!text.includes('\0') && text.isWellFormed()) return
  const shown = JSON.stringify(text)
  throw new StorageError('REJECTED', `${name} ${shown} has a NUL or a lone surrogate`)
}
