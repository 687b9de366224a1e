import { createHash } from 'node:crypto'
import { invalid, isStorageError, messageOf, StorageError } from '../../core/errors.ts'
import { isoTime } from '../../core/iso-time.ts'
import { checkText, MESSAGE_ID_BYTES_MAX } from '../../core/limits.ts'
import { itemValue, type Item } from '../../core/merge.ts'
import { resolve } from '../../core/options.ts'
import { showValue } from '../../core/show-value.ts'
import { maxStamp, STAMP_MIN, type Stamp } from '../../core/stamp.ts'
import type { StrategicStorageManager } from '../../store/strategic-storage-manager.ts'
import type { WriteOutcome } from '../../strategy/write/write-port.ts'
import { decodeMessage, isMessageText, messageBody } from '../codec.ts'
import { conversationKey, streamKey, streamsPrefix } from '../keys.ts'
import type { NewMessage, Receipt } from '../message.ts'
import type { Sessions } from '../sessions.ts'
import { followStream } from './follow-stream.ts'
import { MessageStream, type MessageStreamParts } from './message-stream.ts'
import {
  afterEffect,
  PartialReader,
  readMessage,
  readPartial,
  removeStream,
  TOLERANCE_MS,
} from './partial-reader.ts'
import type { MessagePlace, Partial } from './partial-reader.ts'
import { repairStreams } from './repair-streams.ts'
import type { Draft } from './step.ts'
import { claimId, MARK_FIELD, markOf, type Claim } from './stream-items.ts'
import {
  READ_STREAM,
  REPAIR_STREAMS,
  STREAM,
  type ReadStreamOptions,
  type RepairStreamsOptions,
  type RepairStreamsReport,
  type StartedMessage,
  type StreamEvent,
  type StreamOptions,
} from './stream-options.ts'
import type { ProviderName } from '../providers/shapes.ts'

/** As long as the ids that the store makes. */
const MADE_ID: string = STAMP_MIN
/** Streams that are removed in one group. */
const REMOVED_AT_ONCE = 200
/** Of a writer's name. */
const NAME_LENGTH = 16

/** Messages of one tenant that are being written: what `ChatHistory` makes of its calls. */
export class Streams<Extras extends object | ProviderName = {}> {
  readonly #store: StrategicStorageManager
  readonly #tenant: string
  readonly #sessions: Sessions | undefined
  /** Those that this process writes, or is about to, by the keys of their lists. */
  readonly #open = new Map<string, MessageStream<Extras> | undefined>()

  constructor(store: StrategicStorageManager, tenant: string, sessions: Sessions | undefined) {
    this.#store = store
    this.#tenant = tenant
    this.#sessions = sessions
  }

  /** Shows messages of one conversation that are being written. */
  readerOf(conversationId: string): PartialReader {
    return new PartialReader(this.#store, (id) => this.#place(conversationId, id))
  }

  async start(
    conversationId: string,
    message: StartedMessage<Extras>,
    options?: StreamOptions,
  ): Promise<MessageStream<Extras>> {
    const { leaseMs } = resolve('', options, STREAM)
    const body = startedBody(message)
    const { id } = message
    if (id !== undefined) checkText('message.id', id, MESSAGE_ID_BYTES_MAX)
    const checked = this.#place(conversationId, id ?? MADE_ID)
    const start = async (): Promise<MessageStream<Extras>> => {
      // A repeat after an unknown effect is the same save.
      const writer = id === undefined ? this.#randomName() : this.#nameFor(checked)
      const leaseEnd = this.#store.env.monotonic() + leaseMs
      const value = { ...body, [MARK_FIELD]: { w: writer, l: leaseMs } }
      const item = { value, name: 'message', ...(id !== undefined && { id }) }
      const outcome = await this.#store.appendItems(checked.key, [item])
      const place = this.#place(conversationId, outcome.ids[0]!)
      // It was saved: what fails from here on does not undo that.
      if (id !== undefined) await this.#checkNew(place, writer).catch(afterEffect)
      const position = positionOf(outcome)
      const first = { writer, firstWriter: writer, epoch: 0, leaseMs, leaseEnd, hasList: false }
      return this.#opened(conversationId, outcome, { ...first, place, position, draft: body })
    }
    return id === undefined ? await start() : await this.#only(checked, start)
  }

  async resume(
    conversationId: string,
    id: string,
    options?: StreamOptions,
  ): Promise<MessageStream<Extras>> {
    const { leaseMs } = resolve('', options, STREAM)
    checkText('id', id, MESSAGE_ID_BYTES_MAX)
    const place = this.#place(conversationId, id)
    return await this.#only(place, async () => {
      const { firstWriter, position, partial } = await this.#idle(place)
      const writer = this.#randomName()
      const epoch = partial.replay.epoch + 1
      const leaseEnd = this.#store.env.monotonic() + leaseMs
      const claim = { w: writer, n: partial.replay.count, u: this.#store.now() + leaseMs }
      const outcome = await this.#claim(place, epoch, claim)
      const { id: _id, status: _status, ...draft } = partial.message as object as Draft
      const next = { writer, firstWriter, epoch, leaseMs, leaseEnd, hasList: true }
      return this.#opened(conversationId, outcome, { ...next, place, position, draft })
    })
  }

  async *read(options: ReadStreamOptions): AsyncGenerator<StreamEvent<Extras>, void, undefined> {
    const { conversationId, id, ...how } = resolve('', options, READ_STREAM)
    const events = followStream(this.#store, this.#place(conversationId, id), how)
    yield* events as AsyncGenerator<StreamEvent<Extras>, void, undefined>
  }

  async repair(options?: RepairStreamsOptions): Promise<RepairStreamsReport> {
    const { olderThanMs } = resolve('', options, REPAIR_STREAMS)
    return await repairStreams(this.#store, this.#tenant, olderThanMs, async (conversation, id) => {
      const stream = await this.resume(conversation, id)
      await stream.abort()
    })
  }

  /** Removes the deltas of a message that was replaced or removed, if it was being written as it was read. */
  async remove(conversationId: string, item: Item): Promise<void> {
    const value = itemValue(item)
    // Of a damaged one nobody knows: `repair` removes what is left.
    if (value === undefined || !isMessageText(value) || markOf(decodeMessage(item)!) === undefined)
      return
    await removeStream(this.#store, this.#place(conversationId, item.id).streamKey)
  }

  /** Removes the deltas of all messages of a conversation that was cleared; what fails is left to `repair`. */
  async removeAll(conversationId: string): Promise<void> {
    try {
      const keys = await this.#store.list(streamsPrefix(this.#tenant, conversationId))
      for (let i = 0; i < keys.length; i += REMOVED_AT_ONCE) {
        await this.#store.deleteMany(keys.slice(i, i + REMOVED_AT_ONCE))
      }
    } catch (error) {
      const told = { error: messageOf(error), conversationId }
      this.#store.env.logger.warn(told, 'deltas of a conversation could not be removed')
    }
  }

  /** Stores what waits, and gives up the leases: other processes may go on at once. */
  async close(): Promise<void> {
    const open = [...this.#open.values()]
    // What could not be stored was told by the store already, or is lost as in a crash.
    await Promise.allSettled(open.map(async (stream) => await stream?.release()))
  }

  #opened(
    conversationId: string,
    outcome: WriteOutcome,
    parts: Omit<MessageStreamParts, 'store' | 'receipt' | 'receiptOf' | 'onEnd'>,
  ): MessageStream<Extras> {
    const { place, position } = parts
    const receiptOf = (written: WriteOutcome): Receipt => {
      const last = written.operations.reduce((max, each) => maxStamp(max, each.stamp), STAMP_MIN)
      const own = written.operations.find(({ key }) => key === place.key)
      const { copies, durable } = written
      const session = this.#sessions?.ofWrite(conversationId, place.id, last, written)
      return { id: place.id, position, stamp: own?.stamp ?? last, copies, durable, ...session }
    }
    const stream = new MessageStream<Extras>({
      ...parts,
      store: this.#store,
      receipt: receiptOf(outcome),
      receiptOf,
      onEnd: () => this.#open.delete(place.streamKey),
    })
    this.#open.set(place.streamKey, stream)
    return stream
  }

  /** One writer of a message in this process. */
  async #only<T>({ streamKey: name, id }: MessagePlace, begin: () => Promise<T>): Promise<T> {
    if (this.#open.has(name)) throw taken(id, 'is being written by this process')
    this.#open.set(name, undefined)
    try {
      return await begin()
    } catch (error) {
      this.#open.delete(name)
      throw error
    }
  }

  /** @throws StorageError `CONFLICT` when the save stood already, of a stream that has gone on since. */
  async #checkNew(place: MessagePlace, writer: string): Promise<void> {
    const [{ found }, { items }] = await Promise.all([
      readMessage(this.#store, place),
      this.#store.readItems({ key: place.streamKey, limit: 1, order: 'newest' }),
    ])
    const isOurs = found !== undefined && markOf(found.message)?.w === writer
    if (!isOurs || items.length > 0) throw taken(place.id, 'exists already')
  }

  /** A message that nobody writes any more. */
  async #idle(place: MessagePlace): Promise<{
    readonly firstWriter: string
    readonly position: Stamp
    readonly partial: Partial
  }> {
    await this.#store.checkClocks('taking over a message', 'known')
    const { found, complete } = await readMessage(this.#store, place)
    if (found === undefined) {
      if (complete) throw new StorageError('NOT_FOUND', `there is no message ${quoted(place.id)}`)
      throw outOfReach(place.id)
    }
    const mark = markOf(found.message)
    if (mark === undefined) throw taken(place.id, 'was ended')
    const { partial, mayHaveEnded } = await readPartial(
      this.#store,
      place,
      found.item,
      found.message,
    )
    // Whatever was acknowledged must be before what comes now.
    if (!complete || !partial.complete || partial.replay.hasGap) throw outOfReach(place.id)
    const { until } = partial.replay
    if (this.#store.earliestNow() <= until + TOLERANCE_MS) {
      throw taken(place.id, `is being written, and its lease ends at ${isoTime(until)}`)
    }
    if (mayHaveEnded) {
      const again = await readMessage(this.#store, place)
      if (again.found === undefined || markOf(again.found.message) === undefined) {
        throw taken(place.id, 'was ended')
      }
    }
    return { firstWriter: mark.w, position: found.item.position, partial }
  }

  /** @throws StorageError `CONFLICT` when another process was first. */
  async #claim(place: MessagePlace, epoch: number, claim: Claim): Promise<WriteOutcome> {
    const id = claimId(epoch)
    try {
      return await this.#store.appendItems(place.streamKey, [{ id, value: claim, name: 'claim' }])
    } catch (error) {
      if (!isStorageError(error, 'CONFLICT')) throw error
      throw taken(place.id, 'was taken over by another process')
    }
  }

  #place(conversationId: string, id: string): MessagePlace {
    const key = conversationKey(this.#tenant, conversationId)
    return { key, streamKey: streamKey(this.#tenant, conversationId, id), id }
  }

  #nameFor({ streamKey: key }: MessagePlace): string {
    const hash = createHash('sha256').update(`${this.#store.writer}\n${key}`).digest('base64url')
    return hash.slice(0, NAME_LENGTH)
  }

  #randomName(): string {
    return Buffer.from(this.#store.env.randomBytes(12)).toString('base64url')
  }
}

/** The message as it begins, without its id. */
function startedBody(message: unknown): Draft {
  const given = message as StartedMessage | undefined
  const { content, parts } = (given ?? {}) as {
    readonly content?: unknown
    readonly parts?: unknown
  }
  const hasContent =
    typeof given !== 'object' || given === null || content !== undefined || parts !== undefined
  const body = messageBody((hasContent ? given : { ...given, content: '' }) as NewMessage) as Draft
  if (body['role'] !== 'assistant') {
    throw invalid(`message.role must be assistant, got ${showValue(body['role'])}`)
  }
  const { status: _status, ...rest } = body
  return structuredClone(rest)
}

function positionOf({ operations: [put] }: WriteOutcome): Stamp {
  return put?.kind === 'put' ? put.position : STAMP_MIN
}

function taken(id: string, why: string): StorageError {
  return new StorageError('CONFLICT', `message ${quoted(id)} ${why}`)
}

function outOfReach(id: string): StorageError {
  const why = 'a place that may have more of it cannot be reached'
  return new StorageError('UNAVAILABLE', `message ${quoted(id)} cannot be taken over: ${why}`)
}

function quoted(id: string): string {
  return JSON.stringify(id)
}
