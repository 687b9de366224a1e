import { checkArray, checkText, MESSAGE_ID_BYTES_MAX } from '../core/limits.ts'
import type { Operation } from '../core/operation.ts'
import { maxStamp, type Stamp } from '../core/stamp.ts'
import type { NewItem } from '../store/new-values.ts'
import { messageBody } from './codec.ts'
import type { NewMessage } from './message.ts'

/** The messages as items, checked. */
export function itemsOf(messages: readonly NewMessage[]): readonly NewItem[] {
  checkArray('messages', messages)
  return messages.map((message, i) => {
    const name = messages.length === 1 ? 'message' : `messages[${i}]`
    const value = messageBody(message, name)
    const { id } = message
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

/** The latest stamp of each message. */
export function stampsById(operations: readonly Operation[]): Map<string, Stamp> {
  const stamps = new Map<string, Stamp>()
  for (const operation of operations) {
    if (operation.kind !== 'put') continue
    stamps.set(operation.id, maxStamp(stamps.get(operation.id), operation.stamp) ?? operation.stamp)
  }
  return stamps
}
