import type { CallOptions } from '../../backend/replica-backend.ts'
import { isRemoved, type Item } from '../../core/merge.ts'
import type { AppendOperation } from '../../core/operation.ts'
import type { Place } from '../place.ts'

/**
 * Those of these repeats, all of one key, that the place has as removed, by their ids. To merge what stands
 * in another place says nothing of it: a process that was cut from that one may have removed it here.
 */
export async function removedAmong(
  place: Place,
  repeated: readonly AppendOperation[],
  { timeoutMs, deadline }: CallOptions & { readonly timeoutMs: number },
): Promise<ReadonlyMap<string, Item>> {
  if (repeated.length === 0) return new Map()
  const { key } = repeated[0]!
  const ids = repeated.map(({ id }) => id)
  const { items } = await place.call('readItemsById', deadline ?? timeoutMs, (backend, options) =>
    backend.readItemsById(key, ids, options),
  )
  return new Map(items.filter(isRemoved).map((item) => [item.id, item]))
}
