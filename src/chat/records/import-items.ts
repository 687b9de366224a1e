import { msOfDateTime } from '../../core/iso-time.ts'
import { NameLock } from '../../core/name-lock.ts'
import { stampMs, type Stamp } from '../../core/stamp.ts'
import type { AppendOutcome } from '../../store/lists.ts'
import type { NewItem } from '../../store/new-values.ts'
import type { StrategicStorageManager } from '../../store/strategic-storage-manager.ts'

/** Of two imports of one conversation each begins where the one before it ended. */
const IMPORTS = new NameLock()

/** Where a conversation begins whose messages say no time. Those that are imported side by side begin as they were called. */
export function importBegins(store: StrategicStorageManager): Stamp {
  return store.groups.stampAfter(store.now(), undefined)
}

/**
 * Appends messages of the past.
 *
 * @param begins Of `importBegins`, before anything was waited for.
 */
export async function importItems(
  store: StrategicStorageManager,
  key: string,
  items: readonly NewItem[],
  begins: Stamp,
): Promise<AppendOutcome> {
  return await IMPORTS.run([`${store.writer} ${key}`], async () => {
    const positions = await importPositions(
      store,
      key,
      items.map(({ value }) => value as object),
      begins,
    )
    return await store.appendItems(
      key,
      items.map((item, i) => ({ ...item, position: positions[i]! })),
    )
  })
}

/** Where messages of the past stand: at their own times, behind the latest message, and in their order. */
async function importPositions(
  store: StrategicStorageManager,
  key: string,
  messages: readonly object[],
  begins: Stamp,
): Promise<readonly Stamp[]> {
  const { items } = await store.readItems({ key, limit: 1, order: 'newest' })
  let last = items[0]?.position
  const times = messages.map((message) => {
    return msOfDateTime((message as { readonly createdAt?: string }).createdAt)
  })
  // Those at a beginning that say no time stand where the first that does.
  const first = times.find((ms) => ms !== undefined)
  return times.map((ms) => {
    const isBeginning = last === undefined && first === undefined
    const ownMs = ms ?? (last === undefined ? first! : stampMs(last))
    last = isBeginning ? begins : store.groups.stampAfter(ownMs, last)
    return last
  })
}
