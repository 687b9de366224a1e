import { checkArray, checkText, MESSAGE_ID_BYTES_MAX } from '../core/limits.ts'
import { itemStamp, type Item } from '../core/merge.ts'
import type { Operation } from '../core/operation.ts'
import { maxStamp, STAMP_MIN, type Stamp } from '../core/stamp.ts'
import type { AppendOutcome } from '../store/lists.ts'
import type { NewItem } from '../store/new-values.ts'
import type { WriteOutcome } from '../strategy/write/write-port.ts'
import { messageBody, type Taken } from './codec.ts'
import type { Receipt } from './message.ts'

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

/** Receipts of saved messages, in the order of their ids. `session` adds what a bearer needs. */
export function receiptsOf(
  { ids, operations, copies, durable }: AppendOutcome,
  session: (id: string, position: Stamp) => object | undefined,
): readonly Receipt[] {
  const positions = positionsById(operations)
  const stamps = stampsById(operations)
  return ids.map((id) => {
    const position = positions.get(id) ?? STAMP_MIN
    const stamp = stamps.get(id) ?? STAMP_MIN
    return { id, position, stamp, copies, durable, ...session(id, position) }
  })
}

/** The receipt of a change of an item. */
export function receiptOf(item: Item, { copies, durable, operations }: WriteOutcome): Receipt {
  const { id, position } = item
  const stamp = stampsById(operations).get(id) ?? itemStamp(item)
  return { id, position, stamp, copies, durable }
}

/** Where each appended message stands; a removed one's place is that of its removal. */
function positionsById(operations: readonly Operation[]): Map<string, Stamp> {
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
function stampsById(operations: readonly Operation[]): Map<string, Stamp> {
  const stamps = new Map<string, Stamp>()
  for (const operation of operations) {
    if (operation.kind !== 'put') continue
    stamps.set(operation.id, maxStamp(stamps.get(operation.id), operation.stamp) ?? operation.stamp)
  }
  return stamps
}
