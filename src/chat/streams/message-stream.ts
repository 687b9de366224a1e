import type { Timer } from '../../core/env.ts'
import { errorOfBoth, invalid, isStorageError, messageOf, StorageError } from '../../core/errors.ts'
import { encodeJson } from '../../core/json.ts'
import { itemValue } from '../../core/merge.ts'
import { isoTime } from '../../core/iso-time.ts'
import { KeepAlive } from '../../core/keep-alive.ts'
import { VALUE_BYTES_MAX } from '../../core/limits.ts'
import { stampMs, type Stamp } from '../../core/stamp.ts'
import type { StrategicStorageManager } from '../../store/strategic-storage-manager.ts'
import type { WriteOutcome } from '../../strategy/write/write-port.ts'
import { messageBody } from '../codec.ts'
import type { ChatMessage, ContentPart, MessageStatus, NewMessage, Receipt } from '../message.ts'
import { afterEffect, readMessage, removeStream, type MessagePlace } from './partial-reader.ts'
import { PendingSteps } from './pending-steps.ts'
import { applyStep, stepOf, type Draft, type StreamDelta } from './step.ts'
import { claimId, markOf, type Chunk } from './stream-items.ts'
import type { ProviderName } from '../providers/shapes.ts'

/** Deltas wait so long for others before they are stored together. Milliseconds. */
const COALESCE_MS = 150
/** So many characters wait no longer. */
const CHUNK_LENGTH = 65_536
/** While more than this waits, `append` waits too. Characters. */
const WAITING_LENGTH_MAX = 1_048_576
/** How many times within its lease a writer says that it lives. */
const RENEWALS = 3
/** Room for what the store keeps beside a message. Bytes. */
const MESSAGE_BYTES_MAX = VALUE_BYTES_MAX - 4_096

/** What a stream is made of. */
export interface MessageStreamParts {
  readonly store: StrategicStorageManager
  readonly place: MessagePlace
  readonly position: Stamp
  /** This writer's name, and that of the first one, which the message's mark has. */
  readonly writer: string
  readonly firstWriter: string
  readonly epoch: number
  readonly leaseMs: number
  /** The monotonic time at which the lease ends that began it. */
  readonly leaseEnd: number
  /** The message so far, without id and mark. */
  readonly draft: Draft
  /** Some of it is stored in the list of the stream. */
  readonly hasList: boolean
  readonly receipt: Receipt
  readonly receiptOf: (outcome: WriteOutcome) => Receipt
  readonly onEnd: () => void
}

/**
 * A message that is being written: what `startMessage` and `resumeMessage` give. Deltas are stored some
 * 150 ms after they came, in an order that stays; a crash loses at most those of the last 200 ms, as long
 * as saves take less than 50.
 */
export class MessageStream<Extras extends object | ProviderName = {}> implements AsyncDisposable {
  readonly #parts: MessageStreamParts
  readonly #draft: Draft
  readonly #pending = new PendingSteps()
  #bytes: number
  /** The next chunk's number. */
  #next = 0
  /** Made, and not confirmed: sent again as it is. */
  #unsent: Chunk['d'] | undefined
  #running: Promise<void> | undefined
  #timer: Timer | undefined
  #renewal: Timer | undefined
  #leaseEnd: number
  #hasList: boolean
  /** Of a write in the background: thrown by the next call. */
  #error: unknown
  /** Why nothing can be written any more. */
  #failure: StorageError | undefined
  #ending: Promise<Receipt> | undefined
  #isClosed = false

  /** @internal Made by `startMessage` and `resumeMessage`. */
  constructor(parts: MessageStreamParts) {
    this.#parts = parts
    this.#draft = parts.draft
    this.#bytes = bytesOf(parts.draft)
    this.#leaseEnd = parts.leaseEnd
    this.#hasList = parts.hasList
    this.#planRenewal()
  }

  /** The message's id. */
  get id(): string {
    return this.#parts.place.id
  }

  /** That of the save that began the message; of one that was taken over that of taking over. */
  get receipt(): Receipt {
    return this.#parts.receipt
  }

  /** The message with all that was appended, stored or not: a copy. */
  get message(): ChatMessage<Extras> {
    const createdAt = isoTime(stampMs(this.#parts.position))
    const message = { id: this.id, createdAt, ...structuredClone(this.#draft) }
    return message as object as ChatMessage<Extras>
  }

  /**
   * Appends to the message: text to the end of its content, or a `StreamDelta` anywhere in it. Resolves as
   * soon as it waits to be stored; while more than a million characters wait, when they are stored.
   *
   * @throws StorageError `INVALID_ARGUMENT` for what does not fit or makes the message larger than 4 MiB;
   * what a write in the background failed of since the last call, with its effect. The delta was not taken
   * then: append it again, and what could not be stored is tried again before it. `CONFLICT` or `NOT_FOUND`
   * when the message is no longer this writer's: for good.
   */
  async append(delta: StreamDelta): Promise<void> {
    this.#checkOpen()
    this.#tellError()
    while (this.#pending.length >= WAITING_LENGTH_MAX) {
      await this.#drain()
      this.#checkOpen()
    }
    const step = stepOf(this.#draft, delta)
    this.#make(step)
    this.#pending.add(step)
    if (this.#pending.length >= CHUNK_LENGTH) this.#drainBehind()
    else this.#plan()
  }

  /** Replaces the content by these parts: `append({ at: ['content'], set: parts })`. */
  async setParts(parts: readonly ContentPart[]): Promise<void> {
    await this.append({ at: ['content'], set: parts })
  }

  /** Resolves when all that was appended before is acknowledged as a save is. Errors as `append`. */
  async flush(): Promise<void> {
    this.#checkOpen()
    await this.#alive(() => this.#drain())
    // Joined, it may have been on its way before the last append.
    if (!this.#pending.isEmpty) await this.#alive(() => this.#drain(true))
  }

  /**
   * Ends the message: with all that was appended, or as this one. Only the fields and the content of the given
   * one are stored; its id must be this one's. Calling it again, or `abort`, gives the same receipt.
   *
   * @throws StorageError as `updateMessage`, and as `append`. It may be called again.
   */
  async finish(message?: NewMessage<Extras>): Promise<Receipt> {
    return await this.#end('completed', message)
  }

  /** The same, and its status is `incomplete`: an answer that was stopped. */
  async abort(message?: NewMessage<Extras>): Promise<Receipt> {
    return await this.#end('incomplete', message)
  }

  /** Aborts the message unless it was finished, or is no longer this writer's. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#failure === undefined && !this.#isClosed) await this.abort()
  }

  /** @internal Stores what waits and gives the lease up: another process may go on at once. */
  async release(): Promise<void> {
    if (this.#isClosed || this.#ending !== undefined || this.#failure !== undefined) return
    this.#isClosed = true
    this.#stopTimers()
    try {
      await this.#drain(true)
      if (this.#hasList) await this.#send([], true)
    } finally {
      this.#parts.onEnd()
    }
  }

  #checkOpen(): void {
    if (this.#failure !== undefined) throw this.#failure
    if (this.#isClosed || this.#ending !== undefined) {
      throw new StorageError('CLOSED', `the message ${JSON.stringify(this.id)} has ended`)
    }
  }

  #tellError(): void {
    const error = this.#error
    this.#error = undefined
    if (error !== undefined) throw error as Error
  }

  #make(step: ReturnType<typeof stepOf>): void {
    const isSet = 'set' in step
    const more = isSet ? bytesOf(step.set) : bytesOf(step.append)
    if (more > MESSAGE_BYTES_MAX || (!isSet && this.#bytes + more > MESSAGE_BYTES_MAX)) {
      throw tooLarge(this.#bytes + more)
    }
    const { undo, isNew } = applyStep(this.#draft, step)
    try {
      if (isNew) messageBody(this.#draft as object as NewMessage, 'delta')
      const bytes = isNew ? bytesOf(this.#draft) : this.#bytes + more
      if (bytes > MESSAGE_BYTES_MAX) throw tooLarge(bytes)
      this.#bytes = bytes
    } catch (error) {
      undo()
      throw error
    }
  }

  // ---- storing

  #plan(): void {
    if (this.#timer !== undefined || this.#isClosed) return
    this.#timer = this.#parts.store.env.setTimer(COALESCE_MS, () => {
      this.#timer = undefined
      this.#drainBehind()
    })
  }

  /** In the background: what fails is told by the next call, and tried again. */
  #drainBehind(): void {
    if (this.#running !== undefined) return
    this.#drain().catch((error: unknown) => {
      this.#error = error
      if (this.#failure === undefined && this.#ending === undefined) this.#plan()
    })
  }

  /** Stores what waits; `isEnd`: half a character too; `isRenewal`: one chunk at least. */
  async #drain(isEnd = false, isRenewal = false): Promise<void> {
    if (this.#running !== undefined) return await this.#running
    this.#running = this.#sendAll(isEnd, isRenewal).finally(() => (this.#running = undefined))
    await this.#running
    this.#error = undefined
  }

  async #sendAll(isEnd: boolean, isRenewal: boolean): Promise<void> {
    for (let isNeeded = isRenewal; ; isNeeded = false) {
      // What was sent and not confirmed may be stored: its number stays with it.
      let chunk = this.#unsent
      if (chunk === undefined) {
        chunk = this.#pending.take(CHUNK_LENGTH, isEnd)
        if (chunk.length === 0 && !isNeeded) return
        this.#unsent = chunk
      }
      await this.#send(chunk)
    }
  }

  /** One chunk, which counts when it was confirmed within the lease. */
  async #send(d: Chunk['d'], isLast = false): Promise<void> {
    const { store, place, writer, leaseMs } = this.#parts
    const leaseEnd = store.env.monotonic() + leaseMs
    const u = store.now() + (isLast ? -leaseMs : leaseMs)
    const chunk: Chunk = { w: writer, n: this.#next, u, d }
    this.#hasList = true
    await store.appendItems(place.streamKey, [{ value: chunk, name: 'delta' }])
    // Meanwhile another writer may have gone on without it.
    if (store.env.monotonic() > this.#leaseEnd) await this.#check().catch(afterEffect)
    this.#leaseEnd = leaseEnd
    this.#next++
    this.#unsent = undefined
  }

  #planRenewal(): void {
    const { store, leaseMs } = this.#parts
    const everyMs = leaseMs / RENEWALS
    this.#renewal = store.env.setTimer(everyMs, () => {
      void this.#renew(everyMs).then(() => {
        if (this.#failure === undefined && !this.#isClosed) this.#planRenewal()
      })
    })
  }

  async #renew(everyMs: number): Promise<void> {
    const { store, leaseMs } = this.#parts
    try {
      await this.#check()
      const isFresh = this.#leaseEnd - store.env.monotonic() > leaseMs - everyMs / 2
      if (isFresh || this.#running !== undefined || this.#ending !== undefined) return
      await this.#drain(false, true)
    } catch (error) {
      // A place is out, most likely; what is appended will tell.
      store.env.logger.debug({ error: messageOf(error) }, 'a stream could not be renewed')
      if (!this.#pending.isEmpty && this.#failure === undefined) this.#plan()
    }
  }

  /** @throws StorageError unless the message is still this writer's: for good, when it is certain. */
  async #check(): Promise<void> {
    const { store, place, firstWriter, epoch } = this.#parts
    const [{ found, complete }, claims] = await Promise.all([
      readMessage(store, place),
      store.readItemsById(place.streamKey, [claimId(epoch + 1)]),
    ])
    const name = `the message ${JSON.stringify(place.id)}`
    if (found === undefined) {
      if (!complete) throw new StorageError('UNAVAILABLE', `${name} was not found`)
      throw await this.#leave(new StorageError('NOT_FOUND', `${name} was removed`))
    }
    const mark = markOf(found.message)
    if (mark === undefined) {
      throw await this.#leave(new StorageError('CONFLICT', `${name} was ended by somebody else`))
    }
    if (mark.w !== firstWriter) {
      throw this.#fail(new StorageError('CONFLICT', `${name} was ended by somebody else`))
    }
    if (claims.items.length > 0) {
      throw this.#fail(new StorageError('CONFLICT', `${name} was taken over by another writer`))
    }
  }

  /** What was stored since belongs to nobody. */
  async #leave(failure: StorageError): Promise<StorageError> {
    this.#fail(failure)
    if (this.#hasList) await removeStream(this.#parts.store, this.#parts.place.streamKey)
    return failure
  }

  #fail(failure: StorageError): StorageError {
    this.#failure = failure
    this.#stopTimers()
    this.#parts.onEnd()
    return failure
  }

  #stopTimers(): void {
    this.#timer?.cancel()
    this.#renewal?.cancel()
    this.#timer = undefined
  }

  // ---- ending

  async #end(status: MessageStatus, message: NewMessage<Extras> | undefined): Promise<Receipt> {
    if (this.#ending !== undefined) return await this.#ending
    this.#checkOpen()
    const body = messageBody(message ?? (this.#draft as object as NewMessage<Extras>))
    if (message?.id !== undefined && message.id !== this.id) {
      throw invalid(`message.id must be ${JSON.stringify(this.id)} or left out`)
    }
    const createdAt = body.createdAt ?? (this.#draft['createdAt'] as string | undefined)
    const whole = { ...body, ...(createdAt !== undefined && { createdAt }), status }
    this.#ending = this.#alive(() => this.#store(whole))
    try {
      return await this.#ending
    } catch (error) {
      this.#ending = undefined
      if (this.#failure === undefined && !this.#pending.isEmpty) this.#plan()
      throw error
    }
  }

  /**
   * The message is made whole first, and its deltas are removed then: whoever reads between the two does not
   * look at them. Deltas that a crash leaves behind are nobody's; `repairStreams` removes them.
   */
  async #store(whole: object): Promise<Receipt> {
    const { store, place } = this.#parts
    // What fails there is in the whole message, too.
    await this.#running?.catch(() => {})
    if (this.#failure !== undefined) throw this.#failure
    const isLate = store.env.monotonic() > this.#leaseEnd
    if (isLate && !(await this.#stands(whole))) await this.#check()
    const outcome = await this.#replace(whole)
    await store.env.failpoints.hit('stream.beforeRemove')
    this.#isClosed = true
    this.#stopTimers()
    this.#parts.onEnd()
    if (this.#hasList) await removeStream(store, place.streamKey)
    return this.#parts.receiptOf(outcome)
  }

  /** Unless somebody else ended the message, or took it over: which one database judges, while one answers. */
  async #replace(whole: object): Promise<WriteOutcome> {
    const { store, place, position, epoch } = this.#parts
    const { key, id } = place
    const stands = { key, id, stamp: position }
    const unclaimed = { key: place.streamKey, id: claimId(epoch + 1), absent: true } as const
    let first: unknown
    // S3 judges conditions of one key.
    for (const conditions of [[stands, unclaimed], [stands]]) {
      try {
        return await store.write([{ kind: 'put', key, id, value: whole }], { if: conditions })
      } catch (error) {
        if (!isStorageError(error) || error.code === 'INVALID_ARGUMENT') throw error
        first = error
        if (error.code === 'UNSUPPORTED') continue
        // An earlier call, whose answer was lost, may have done it.
        if (error.code === 'CONFLICT' && !(await this.#stands(whole))) await this.#check()
        break
      }
    }
    return await store.editItem(key, id, position, whole).catch((error: unknown) => {
      throw isStorageError(error, 'NOT_FOUND') ? this.#fail(error) : errorOfBoth(first, error)
    })
  }

  async #stands(whole: object): Promise<boolean> {
    const { found } = await readMessage(this.#parts.store, this.#parts.place)
    return found !== undefined && itemValue(found.item) === encodeJson(whole)
  }

  /** Nothing else may keep the process alive while somebody waits. */
  async #alive<T>(work: () => Promise<T>): Promise<T> {
    return await KeepAlive.of(this.#parts.store.env).during(work)
  }
}

function bytesOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value))
}

function tooLarge(bytes: number): StorageError {
  return invalid(`the message must be at most ${MESSAGE_BYTES_MAX} bytes of JSON, got ${bytes}`)
}
