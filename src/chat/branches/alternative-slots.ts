/*
 * Where alternatives are kept: a list beside the conversation, in which each message has numbered slots, so that
 * all of them are read by their ids in one call, and two processes that add one at the same time want the same
 * slot, which the database decides. Slot 0 has what stood there first, and, in edits, which one is active.
 */
import { hash } from 'node:crypto'
import { decodeJson, isJson } from '../../core/json.ts'
import { PAGE_ITEMS_MAX } from '../../core/limits.ts'
import { itemValue, type Item } from '../../core/merge.ts'
import type { Stamp } from '../../core/stamp.ts'
import type { StrategicStorageManager } from '../../store/strategic-storage-manager.ts'
import { sideKey } from '../keys.ts'
import type { ChatMessage } from '../message.ts'

/** Most alternatives of one message, with the first. */
export const ALTERNATIVES_MAX = 64

/** What is in a slot. */
export interface SlotValue {
  /** The message in whose place it stands. */
  readonly of: string
  /** The alternative's own id. */
  readonly id: string
  /** All fields of the message but its id. */
  readonly body: Omit<ChatMessage, 'id'>
  /** In slot 0: the alternative that is shown. */
  readonly active?: string
}

/** A slot as it stands. */
export interface Slot extends SlotValue {
  readonly slotId: string
  readonly number: number
  readonly position: Stamp
  /** It is not as it was added. */
  readonly isEdited: boolean
}

/** The slots of a message. */
export interface Slots {
  readonly key: string
  /** In their order. */
  readonly items: readonly Item[]
  readonly complete: boolean
}

export function slotId(messageId: string, number: number): string {
  return `${hash('sha256', messageId, 'hex').slice(0, 40)}.${number}`
}

/** All that there are of one message, as items. */
export async function slotsOf(
  store: StrategicStorageManager,
  tenant: string,
  conversationId: string,
  messageId: string,
): Promise<Slots> {
  const key = sideKey('alternatives', tenant, conversationId)
  const ids = Array.from({ length: ALTERNATIVES_MAX }, (_, number) => slotId(messageId, number))
  const { items, complete } = await store.readItemsById(key, ids)
  const visible = new Map(items.map((item) => [item.id, item]))
  const inOrder = ids.flatMap((id) => visible.get(id) ?? [])
  return { key, items: inOrder.filter((item) => itemValue(item) !== undefined), complete }
}

/** The slots of any of these messages. */
export async function alternativesAmong(
  store: StrategicStorageManager,
  tenant: string,
  conversationId: string,
  messageIds: ReadonlySet<string>,
): Promise<{ readonly key: string; readonly items: readonly Item[] }> {
  const key = sideKey('alternatives', tenant, conversationId)
  const found: Item[] = []
  let after: Stamp | undefined
  for (;;) {
    const query = { key, limit: PAGE_ITEMS_MAX, order: 'oldest' } as const
    const { items, done } = await store.readItems({ ...query, ...(after && { after }) })
    for (const item of items) {
      const slot = parseSlot(item)
      if (slot !== undefined && messageIds.has(slot.of)) found.push(item)
    }
    after = items.at(-1)?.position
    if (done || after === undefined) return { key, items: found }
  }
}

/** Undefined for what is no slot. */
export function parseSlot(item: Item): Slot | undefined {
  const text = itemValue(item)
  if (text === undefined || !isJson(text)) return undefined
  const value = decodeJson<SlotValue | null>(text)
  if (typeof value?.of !== 'string' || typeof value.id !== 'string') return undefined
  const number = Number(item.id.slice(item.id.lastIndexOf('.') + 1))
  const { id, position, editedAt } = item
  return { ...value, slotId: id, number, position, isEdited: editedAt !== undefined }
}
