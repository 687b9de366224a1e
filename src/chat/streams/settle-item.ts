import { encodeJson } from '../../core/json.ts'
import type { Item } from '../../core/merge.ts'
import type { StrategicStorageManager } from '../../store/strategic-storage-manager.ts'
import { stampBeside } from '../branches/fork-marker.ts'
import { decodeMessage } from '../codec.ts'
import { parseConversationKey, streamKey } from '../keys.ts'
import { readMessage, readPartial, type MessagePlace } from './partial-reader.ts'
import { markOf } from './stream-items.ts'

/** More than the chunks of one writer. */
const EPOCH_STEPS = 2 ** 24

/**
 * A message of a conversation as a copy of it is to be, which has no stream: of one that is being written what
 * had come of it, as an edit. Its stamp goes by how much that is, so that of copies that were made at
 * different moments, by different processes, the one with more stands everywhere.
 */
export async function settleItem(
  store: StrategicStorageManager,
  key: string,
  item: Item,
): Promise<{ readonly item: Item; readonly complete: boolean }> {
  const message = decodeMessage(item)
  const parsed = parseConversationKey(key)
  if (message === undefined || markOf(message) === undefined || parsed === undefined) {
    return { item, complete: true }
  }
  const { tenant, conversationId } = parsed
  const place: MessagePlace = {
    key,
    streamKey: streamKey(tenant, conversationId, item.id),
    id: item.id,
  }
  const { partial, mayHaveEnded } = await readPartial(store, place, item, message)
  let { complete } = partial
  if (mayHaveEnded) {
    const again = await readMessage(store, place)
    complete &&= again.complete
    if (again.found !== undefined && markOf(again.found.message) === undefined) {
      return { item: again.found.item, complete }
    }
  }
  const { id: _id, ...body } = partial.message
  const { position } = item
  const edited = encodeJson({ ...body, status: 'incomplete' })
  const { epoch, taken } = partial.replay
  const editedAt = stampBeside(position, BigInt(epoch * EPOCH_STEPS + taken + 1))
  return { item: { ...item, editedOf: position, editedAt, edited }, complete }
}
