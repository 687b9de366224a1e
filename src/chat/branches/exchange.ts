/*
 * Changes of several messages in one group, under conditions: what adapters are made of whose frameworks have calls
 * that must be atomic. The framework says what it read; if that stands no more, nothing happens.
 */
import { StorageError } from '../../core/errors.ts'
import { PAGE_ITEMS_MAX } from '../../core/limits.ts'
import { itemStamp, itemValue, type Item } from '../../core/merge.ts'
import type { Stamp } from '../../core/stamp.ts'
import type { Change, ChangesOptions } from '../../store/changes/change.ts'
import type { StrategicStorageManager } from '../../store/strategic-storage-manager.ts'
import { decodeMessage, isMessageText, messageBody } from '../codec.ts'
import { conversationKey } from '../keys.ts'
import type { ChatMessage } from '../message.ts'
import { itemsOf } from '../message-items.ts'
import { alternativesAmong } from './alternative-slots.ts'
import type { Branches } from './branches.ts'

/** A message as it was read. */
export interface StandingMessage {
  readonly item: Item
  readonly message: ChatMessage
  /** The conversation's own; otherwise it is, or was, shared with another one. */
  readonly isOwn: boolean
}

/** What is to happen at once; all of it is the conversation's own. */
export interface Exchange extends ChangesOptions {
  /** Messages that go. They, and those that are replaced, must stand as they were read. */
  readonly removed?: readonly StandingMessage[]
  readonly replaced?: readonly { readonly message: StandingMessage; readonly by: object }[]
  /** What is saved at the end. */
  readonly saved?: readonly object[]
  readonly beside?: readonly Change[]
}

/** What it is written with. */
export interface ExchangeParts {
  readonly store: StrategicStorageManager
  readonly tenant: string
  readonly branches: Branches
}

/** The latest messages, the latest first. */
export async function standingMessages(
  { store, tenant, branches }: ExchangeParts,
  conversationId: string,
  limit: number,
): Promise<StandingMessage[]> {
  const own = conversationKey(tenant, conversationId)
  const decode = (item: Item): { item: Item; message: ChatMessage } => {
    return { item, message: decodeMessage(item)! }
  }
  const standing: StandingMessage[] = []
  let before: Stamp | undefined
  do {
    const most = Math.min(limit - standing.length, PAGE_ITEMS_MAX)
    const query = { order: 'newest', limit: most, ...(before && { before }) } as const
    const page = await branches.forks.view.page(conversationId, query)
    for (const { key, item } of page.items) {
      if (itemValue(item) === undefined) continue
      const [read] = await store.decodeItems(key, [item], decode, isMessageText)
      if (read !== undefined) standing.push({ ...read, isOwn: key === own })
    }
    before = page.next
  } while (before !== undefined && standing.length < limit)
  return standing
}

/** The group, and its conditions. Forks get their copies before it is written. */
export async function exchangeOf(
  { store, tenant, branches }: ExchangeParts,
  conversationId: string,
  { removed = [], replaced = [], saved = [], beside = [], if: conditions = [] }: Exchange,
): Promise<{ readonly changes: readonly Change[]; readonly if: ChangesOptions['if'] & {} }> {
  const key = conversationKey(tenant, conversationId)
  const items = itemsOf(saved, 'item')
  const edits = replaced.map(({ message, by }): Change => {
    return { kind: 'put', key, id: message.item.id, value: messageBody(by, 'item', 'item') }
  })
  const touched = [...removed, ...replaced.map(({ message }) => message)]
  if (touched.some(({ isOwn }) => !isOwn)) {
    const why = 'shares with another conversation cannot be changed under conditions'
    throw new StorageError(
      'UNSUPPORTED',
      `what conversation ${JSON.stringify(conversationId)} ${why}`,
    )
  }
  const positions = touched.map(({ item }) => item.position).sort()
  if (positions.length > 0) await branches.forks.protect(conversationId, { from: positions[0]! })
  const ids = new Set(removed.map(({ item }) => item.id))
  const others =
    ids.size > 0 ? await alternativesAmong(store, tenant, conversationId, ids) : undefined
  return {
    changes: [
      ...removed.map(({ item }): Change => ({ kind: 'remove', key, id: item.id })),
      ...(others?.items ?? []).map(({ id }): Change => ({ kind: 'remove', key: others!.key, id })),
      ...edits,
      ...items.map(({ value }): Change => ({ kind: 'append', key, value })),
      ...beside,
    ],
    if: [
      ...conditions,
      ...touched.map(({ item }) => ({ key, id: item.id, stamp: itemStamp(item) })),
    ],
  }
}
