import { msOfDateTime } from '../../core/iso-time.ts'
import { stampMs, type Stamp } from '../../core/stamp.ts'
import type { StrategicStorageManager } from '../../store/strategic-storage-manager.ts'

/** Where messages of the past stand: at their own times, behind the latest message, and in their order. */
export async function importPositions(
  store: StrategicStorageManager,
  key: string,
  messages: readonly object[],
): Promise<readonly Stamp[]> {
  const { items } = await store.readItems({ key, limit: 1, order: 'newest' })
  let last = items[0]?.position
  const times = messages.map((message) => {
    return msOfDateTime((message as { readonly createdAt?: string }).createdAt)
  })
  // Those at a beginning that say no time stand where the first that does.
  const first = times.find((ms) => ms !== undefined) ?? store.now()
  return times.map((ms) => {
    last = store.changes.stampAfter(ms ?? (last === undefined ? first : stampMs(last)), last)
    return last
  })
}
