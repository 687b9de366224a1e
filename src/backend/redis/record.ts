import type { Applied } from '../../core/decide.ts'
import { digestOf } from '../../core/digest.ts'
import { StorageError } from '../../core/errors.ts'
import type { JsonText } from '../../core/json.ts'
import { operationsOfItem, type Item } from '../../core/merge.ts'
import type { Operation, PutOperation } from '../../core/operation.ts'
import { isStamp, STAMP_MIN, type Stamp } from '../../core/stamp.ts'

/** An item from its record; `scripts/merge-lua.ts` has the format. */
export function itemOfRecord(id: string, record: string): Item {
  const position = record.slice(1, 37) as Stamp
  switch (record[0]) {
    case 'r':
      return { id, position, removed: true }
    case 'a':
      return {
        id,
        position,
        appendedAt: position,
        appended: record.slice(49) as JsonText,
        removed: false,
      }
    case 'x':
      return editedItem(id, position, record)
    default:
      throw new StorageError('CORRUPT', `Redis: item ${JSON.stringify(id)} has an unknown record`)
  }
}

/** The item, or undefined where its record has been damaged so much that it cannot be read. */
export function readRecord(id: string, record: string): Item | undefined {
  try {
    const item = itemOfRecord(id, record)
    const places = [item.position, item.appendedAt ?? STAMP_MIN, item.editedAt ?? STAMP_MIN]
    return places.every((place) => place === STAMP_MIN || isStamp(place)) ? item : undefined
  } catch {
    return undefined
  }
}

/** A `StoredOperation` of an item. */
export interface StoredPut {
  readonly operation: PutOperation
  readonly digest: number
}

/** The operations that make the item, each with the digest that its record has. */
export function storedOfRecord(key: string, item: Item, record: string): StoredPut[] {
  const isMixed = record[0] === 'x'
  return operationsOfItem(key, item).map((operation) => {
    const at = !isMixed ? 37 : operation.change === 'edit' ? 121 : 73
    return { operation, digest: Number.parseInt(record.slice(at, at + 12), 16) }
  })
}

function editedItem(id: string, position: Stamp, record: string): Item {
  const appendedAt = record.slice(37, 73) as Stamp
  const editedAt = record.slice(85, 121) as Stamp
  const split = record.indexOf('\0', 133)
  return {
    id,
    position,
    removed: false,
    ...(appendedAt !== STAMP_MIN && {
      appendedAt,
      appended: record.slice(133, split) as JsonText,
    }),
    ...(editedAt !== STAMP_MIN && { editedAt, edited: record.slice(split + 1) as JsonText }),
  }
}

/** An answer to one operation; `scripts/judge-lua.ts` has the format. */
export function appliedOf(answer: string, id: string): Applied {
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
      return { outcome: 'behind', stamp: rest as Stamp, ...mark }
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

/** Redis would store these, but not give them back as they were, or cut them in a member. */
export function checkStorable(operations: readonly Operation[]): void {
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
