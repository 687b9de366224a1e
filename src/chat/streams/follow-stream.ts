import { StorageError } from '../../core/errors.ts'
import { KeepAlive } from '../../core/keep-alive.ts'
import { sleep } from '../../core/time.ts'
import type { StrategicStorageManager } from '../../store/strategic-storage-manager.ts'
import type { ChatMessage } from '../message.ts'
import {
  PartialReader,
  readMessage,
  readStreamItems,
  statusAt,
  type MessagePlace,
} from './partial-reader.ts'
import { Replay } from './replay.ts'
import { markOf, unpackStep, type Chunk } from './stream-items.ts'
import type { ReadStreamOptions, StreamEvent } from './stream-options.ts'
import type { StreamDelta } from './step.ts'

type How = Required<Pick<ReadStreamOptions, 'after' | 'pollMs'>> & Pick<ReadStreamOptions, 'signal'>

/**
 * The deltas of a message in their order, as they come, and the message when nobody writes it any more.
 *
 * @throws StorageError `NOT_FOUND` when there is no such message, also since; `UNAVAILABLE`, or `TIMEOUT`, when
 * no place answers: go on behind the last cursor.
 */
export async function* followStream(
  store: StrategicStorageManager,
  place: MessagePlace,
  { after, pollMs, signal }: How,
): AsyncGenerator<StreamEvent, void, undefined> {
  let replay: Replay | undefined
  let cursor = 0
  while (signal?.aborted !== true) {
    if (replay === undefined) {
      const { item, message } = await standing(store, place)
      const mark = markOf(message)
      if (mark === undefined) return yield { type: 'end', message }
      replay = new Replay(mark, item.position)
    }
    const { items } = await readStreamItems(store, place.streamKey, replay.position)
    const chunks = replay.take(items)
    for (const chunk of chunks) {
      cursor++
      if (cursor > after && chunk.d.length > 0)
        yield { type: 'delta', cursor, deltas: deltasOf(chunk) }
    }
    if (chunks.length > 0) continue
    const message = await ended(store, place, replay)
    if (message !== undefined) return yield { type: 'end', message }
    await KeepAlive.of(store.env).during(() => sleep(store.env, pollMs, signal))
  }
}

/** The message, if nobody writes it any more. */
async function ended(
  store: StrategicStorageManager,
  place: MessagePlace,
  replay: Replay,
): Promise<ChatMessage | undefined> {
  const found = await standing(store, place)
  if (markOf(found.message) === undefined) return found.message
  if (statusAt(replay, store.earliestNow()) === 'in_progress') return undefined
  const { shown } = await new PartialReader(store, () => place).show([found])
  const [one] = shown
  return one?.message.status === 'in_progress' ? undefined : one?.message
}

async function standing(
  store: StrategicStorageManager,
  place: MessagePlace,
): Promise<NonNullable<Awaited<ReturnType<typeof readMessage>>['found']>> {
  const { found, complete } = await readMessage(store, place)
  if (found !== undefined) return found
  const name = `message ${JSON.stringify(place.id)}`
  throw complete
    ? new StorageError('NOT_FOUND', `there is no ${name}`)
    : new StorageError('UNAVAILABLE', `${name} was not found, and a place that may have it is away`)
}

/** As a caller appended them, or joined. */
function deltasOf({ d }: Chunk): readonly StreamDelta[] {
  return d.map((packed) => (typeof packed === 'string' ? packed : unpackStep(packed)))
}
