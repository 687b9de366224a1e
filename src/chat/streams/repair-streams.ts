import { messageOf } from '../../core/errors.ts'
import { PAGE_ITEMS_MAX } from '../../core/limits.ts'
import type { StrategicStorageManager } from '../../store/strategic-storage-manager.ts'
import { conversationKey, parseStreamKey, streamsPrefix, tenantStreamsPrefix } from '../keys.ts'
import { readMessage, readPartial, removeStream, TOLERANCE_MS } from './partial-reader.ts'
import { markOf } from './stream-items.ts'
import type { RepairStreamsReport } from './stream-options.ts'

type Outcome = keyof RepairStreamsReport

/** Ends a message as it stands. */
type EndMessage = (conversationId: string, id: string) => Promise<void>

/** One pass over the streams of a tenant. */
export async function repairStreams(
  store: StrategicStorageManager,
  tenant: string,
  olderThanMs: number,
  end: EndMessage,
): Promise<RepairStreamsReport> {
  await store.checkClocks('ending streams by age')
  const report = { closed: 0, removed: 0, left: 0 }
  for await (const key of keysOf(store, tenantStreamsPrefix(tenant))) {
    const outcome = await repairOne(store, tenant, key, olderThanMs, end).catch(
      (error: unknown) => {
        // One that cannot be read must not keep the others from their turn.
        store.env.logger.warn({ error: messageOf(error) }, 'a stream could not be repaired')
        return 'left' as const
      },
    )
    report[outcome]++
  }
  return report
}

/** Removes deltas of one conversation whose messages are gone. */
export async function removeOrphans(
  store: StrategicStorageManager,
  tenant: string,
  conversationId: string,
): Promise<void> {
  for await (const key of keysOf(store, streamsPrefix(tenant, conversationId))) {
    await repairOne(store, tenant, key, Infinity, async () => {})
  }
}

async function* keysOf(store: StrategicStorageManager, prefix: string): AsyncGenerator<string> {
  let after: string | undefined
  for (;;) {
    const query = { prefix, limit: PAGE_ITEMS_MAX, ...(after !== undefined && { after }) }
    const { keys, done } = await store.listKeys(query)
    yield* keys
    after = keys.at(-1)
    if (done || after === undefined) return
  }
}

async function repairOne(
  store: StrategicStorageManager,
  tenant: string,
  key: string,
  olderThanMs: number,
  end: EndMessage,
): Promise<Outcome> {
  const parsed = parseStreamKey(key)
  if (parsed === undefined) return 'left'
  const { conversationId, id } = parsed
  const place = { key: conversationKey(tenant, conversationId), streamKey: key, id }
  const { found, complete } = await readMessage(store, place)
  if (found === undefined || markOf(found.message) === undefined) {
    // Where it may only be out of reach, it keeps its deltas.
    if (!complete) return 'left'
    await removeStream(store, key)
    return 'removed'
  }
  if (olderThanMs === Infinity) return 'left'
  const { partial } = await readPartial(store, place, found.item, found.message)
  const { until } = partial.replay
  if (store.earliestNow() <= until + TOLERANCE_MS + olderThanMs) return 'left'
  await end(conversationId, id)
  return 'closed'
}
