import { StorageError } from '../core/errors.ts'
import { checkArray, checkText, MESSAGE_ID_BYTES_MAX } from '../core/limits.ts'
import type { Operation } from '../core/operation.ts'
import type { Stamp } from '../core/stamp.ts'
import type { NewItem } from '../store/new-values.ts'
import { messageBody, type Taken } from './codec.ts'

/** The messages as items, checked; with `item` also those without a role. */
export function itemsOf(messages: readonly object[], taken: Taken = 'message'): readonly NewItem[] {
  checkArray(`${taken}s`, messages)
  return messages.map((message, i) => {
    const name = messages.length === 1 ? taken : `${taken}s[${i}]`
    const value = messageBody(message, name, taken)
    const { id } = message as { readonly id?: string }
    if (id === undefined) return { value, name }
    checkText(`${name}.id`, id, MESSAGE_ID_BYTES_MAX)
    return { value, id, name }
  })
}

/** Where each appended message stands; a removed one's place is that of its removal. */
export function positionsById(operations: readonly Operation[]): Map<string, Stamp> {
  const positions = new Map<string, Stamp>()
  for (const operation of operations) {
    if (operation.kind !== 'put') continue
    const known = positions.get(operation.id)
    if (known === undefined || operation.position > known) {
      positions.set(operation.id, operation.position)
    }
  }
  return positions
}

/** Why a message that is needed is not there. */
export function notFound(id: string, complete: boolean): StorageError {
  return complete
    ? new StorageError('NOT_FOUND', `there is no message ${JSON.stringify(id)}`)
    : new StorageError(
        'UNAVAILABLE',
        `message ${JSON.stringify(id)} was not found, and a place that may have it cannot be reached`,
      )
}
