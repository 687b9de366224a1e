/*
 * No database knows what has expired: the time is a part of a value, and may be encrypted. So a condition that finds
 * something where a reader sees nothing is asked again, of exactly that which has expired: whoever sets it anew is faster.
 */
import type { Condition, LastStands } from '../../core/conditions.ts'
import { groupBy } from '../../core/group-by.ts'
import { PAGE_ITEMS_MAX } from '../../core/limits.ts'
import { itemStamp, itemValue } from '../../core/merge.ts'
import { itemName } from '../../core/operation.ts'
import type { Stamp } from '../../core/stamp.ts'
import type { StoreContext } from '../../strategy/context.ts'
import type { ReadPort } from '../../strategy/read/read-port.ts'
import { isExpired } from '../expiry/expiring-text.ts'

/** The same conditions, each as a database judges it: what has expired counts as not there. */
export async function throughExpired(
  context: StoreContext,
  stored: ReadPort,
  conditions: readonly Condition[],
): Promise<readonly Condition[]> {
  const nowMs = context.clock.now()
  const values = await expiredValues(context, stored, conditions, nowMs)
  const items = await expiredItems(context, stored, conditions, nowMs)
  const made: Condition[] = []
  for (const condition of conditions) {
    const { key } = condition
    if ('last' in condition) {
      made.push({ key, last: await lastStored(context, stored, condition, nowMs) })
    } else if (!('absent' in condition)) {
      made.push(condition)
    } else if ('id' in condition) {
      const { id } = condition
      const stamp = items.get(itemName({ key, id }))
      made.push(stamp === undefined ? condition : { key, id, stamp })
    } else {
      const stamp = values.get(key)
      made.push(stamp === undefined ? condition : { key, stamp })
    }
  }
  return made
}

/** Of values that are to be absent the stamps of those that have expired. */
async function expiredValues(
  context: StoreContext,
  stored: ReadPort,
  conditions: readonly Condition[],
  nowMs: number,
): Promise<ReadonlyMap<string, Stamp>> {
  const wanted = conditions.filter((each) => 'absent' in each && !('id' in each))
  const keys = [...new Set(wanted.map(({ key }) => key))]
  const found = new Map<string, Stamp>()
  if (keys.length === 0) return found
  const { registers } = await stored.readRegisters(context, keys)
  for (const [i, key] of keys.entries()) {
    const register = registers[i]
    if (register !== undefined && isExpired(register.value, nowMs)) found.set(key, register.stamp)
  }
  return found
}

/** The same of items. */
async function expiredItems(
  context: StoreContext,
  stored: ReadPort,
  conditions: readonly Condition[],
  nowMs: number,
): Promise<ReadonlyMap<string, Stamp>> {
  const wanted = conditions.flatMap((each) => ('absent' in each && 'id' in each ? [each] : []))
  const found = new Map<string, Stamp>()
  for (const [key, own] of groupBy(wanted, (each) => each.key)) {
    const ids = [...new Set(own.map(({ id }) => id))]
    for (const item of (await stored.readItemsById(context, key, ids)).items) {
      if (!isExpired(itemValue(item) ?? '', nowMs)) continue
      found.set(itemName({ key, id: item.id }), itemStamp(item))
    }
  }
  return found
}

/** The last item that is stored, if all that stands behind the wanted one has expired. */
async function lastStored(
  context: StoreContext,
  stored: ReadPort,
  { key, last }: LastStands,
  nowMs: number,
): Promise<Stamp | null> {
  let first: Stamp | undefined
  let before: Stamp | undefined
  for (;;) {
    const query = { key, limit: PAGE_ITEMS_MAX, order: 'newest' } as const
    const page = await stored.readItems(context, { ...query, ...(before && { before }) })
    // What one place lacks of the list is no sign that it has expired.
    if (!page.complete) return last
    first ??= page.items[0]?.position
    const shown = page.items.find((item) => !isExpired(itemValue(item) ?? '', nowMs))
    const isEnd = shown !== undefined || page.done
    if (isEnd) return (shown?.position ?? null) === last ? (first ?? null) : last
    before = page.items.at(-1)?.position
  }
}
