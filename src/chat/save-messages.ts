import { invalid, isStorageError, StorageError } from '../core/errors.ts'
import { itemStamp, itemValue, type Item } from '../core/merge.ts'
import { byDefault, oneOf } from '../core/option-kinds.ts'
import type { OptionTable } from '../core/options.ts'
import { STAMP_MIN } from '../core/stamp.ts'
import type { Receipt } from './message.ts'

/** How messages are saved. */
export interface SaveOptions {
  /**
   * What becomes of a message whose id stands already with different content. `reject`: nothing is saved, and the
   * call is `CONFLICT`. `ignore`: it stays as it is. `replace`: it is updated as by `updateMessage`, where it
   * stands. One that was removed stays removed with the last two. Default: `reject`.
   */
  readonly onConflict?: 'reject' | 'replace' | 'ignore'
}

export const SAVE: OptionTable<SaveOptions, 'onConflict'> = {
  onConflict: byDefault('reject', oneOf('reject', 'replace', 'ignore')),
}

/** Looks at what stands: only another process that saves the same ids makes more than one necessary. */
const LOOKS_MAX = 5

/** A message that was checked. */
export interface CheckedMessage {
  readonly id?: string
  readonly value: unknown
}

/** What saving over standing messages is made of. */
export interface SaveCalls<New extends CheckedMessage> {
  /** All or nothing; `CONFLICT` when one of the ids stands with other content. */
  readonly append: (items: readonly New[]) => Promise<readonly Receipt[]>
  /** The items of these ids that are there, removed ones too. */
  readonly find: (ids: readonly string[]) => Promise<readonly Item[]>
  readonly update: (item: New, id: string) => Promise<Receipt>
}

/**
 * Saves what is new as one group, and then, with `replace`, updates what stands one after another. The receipts are
 * in the order of the messages; of one that stays as it is, with the copies that were not asked for: none.
 */
export async function saveOver<New extends CheckedMessage>(
  items: readonly New[],
  mode: 'replace' | 'ignore',
  calls: SaveCalls<New>,
): Promise<readonly Receipt[]> {
  const ids = items.flatMap(({ id }) => (id === undefined ? [] : [id]))
  if (new Set(ids).size < ids.length) throw invalid('ids must differ within one group')
  const { saved, standing } = await saveNew(items, ids, calls)
  const receipts: Receipt[] = []
  for (const item of items) {
    const stands = item.id === undefined ? undefined : standing.get(item.id)
    if (stands === undefined) receipts.push(saved.shift()!)
    else receipts.push(await overOne(item, stands, mode, calls))
  }
  return receipts
}

/** Saves those that do not stand yet; the rest is told with what stands. */
async function saveNew<New extends CheckedMessage>(
  items: readonly New[],
  ids: readonly string[],
  { append, find }: SaveCalls<New>,
): Promise<{ readonly saved: Receipt[]; readonly standing: ReadonlyMap<string, Item> }> {
  for (let look = 1; ; look++) {
    const found = ids.length === 0 ? [] : await find(ids)
    const standing = new Map(found.map((item) => [item.id, item]))
    const fresh = items.filter(({ id }) => id === undefined || !standing.has(id))
    try {
      return { saved: [...(await append(fresh))], standing }
    } catch (error) {
      // Another process saved one of them since, or a place that has it was not asked.
      const isTaken = isStorageError(error, 'CONFLICT') && error.effect === 'none'
      if (!isTaken || look === LOOKS_MAX) throw error
    }
  }
}

async function overOne<New extends CheckedMessage>(
  item: New,
  stands: Item,
  mode: 'replace' | 'ignore',
  { update }: SaveCalls<New>,
): Promise<Receipt> {
  const { id, position } = stands
  const kept = { id, position, stamp: itemStamp(stands), copies: [], durable: false }
  if (itemValue(stands) === undefined) return { ...kept, position: STAMP_MIN }
  if (mode === 'ignore') return kept
  try {
    return await update(item, stands.id)
  } catch (error) {
    // Removed since: that counts.
    if (error instanceof StorageError && error.code === 'NOT_FOUND') {
      return { ...kept, position: STAMP_MIN }
    }
    throw error
  }
}
