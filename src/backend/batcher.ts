import type { Env } from '../core/env.ts'
import { isStorageError, messageOf, StorageError } from '../core/errors.ts'
import { BATCH_BYTES_MAX, BATCH_OPERATIONS_MAX } from '../core/limits.ts'
import { operationBytes, type Operation } from '../core/operation.ts'
import { checkSignal } from './check-signal.ts'
import type { ApplyOptions, ApplyResult, WriterCursor } from './replica-backend.ts'

/** One `apply` call as an engine gets it: a group that is applied whole or not at all. */
export interface BatchCall {
  readonly operations: readonly Operation[]
  readonly decide: boolean
  readonly unique: boolean
  readonly hint?: string
  readonly cursor?: WriterCursor
}

export interface BatcherOptions {
  readonly env: Env
  /** Names the engine in messages. */
  readonly name: string
  /**
   * Applies the calls in one transaction and answers each. A refusal (`core/decide.ts`) is an
   * answer, not an error. When the data of any call cannot be stored it rejects with `REJECTED` and
   * effect `none`; the batcher then finds the culprit by splitting. A call that could not be applied
   * while the others were is answered by its error.
   */
  readonly run: (calls: readonly BatchCall[]) => Promise<readonly (ApplyResult | StorageError)[]>
  /** Batches that run at once. */
  readonly inFlightMax: number
  /** Time that `apply` may take when the caller names none. Milliseconds. */
  readonly timeoutMs: number
  /** Bytes that may wait; beyond that calls are refused with `OVERLOADED`. */
  readonly queueBytesMax?: number
}

interface Waiting {
  readonly call: BatchCall
  readonly bytes: number
  readonly resolve: (result: ApplyResult) => void
  readonly reject: (error: unknown) => void
  state: 'queued' | 'sent' | 'done'
}

/**
 * Coalesces concurrent `apply` calls: while a batch is in flight the next one gathers, so one
 * commit is shared by many saves and a lone save is not delayed.
 */
export class Batcher {
  readonly #options: Required<BatcherOptions>
  #queue: Waiting[] = []
  #queueBytes = 0
  #inFlight = 0
  #scheduled = false
  #closed = false

  constructor(options: BatcherOptions) {
    this.#options = { queueBytesMax: 64 * 1024 * 1024, ...options }
  }

  submit(operations: readonly Operation[], options: ApplyOptions = {}): Promise<ApplyResult> {
    const bytes = operations.reduce((sum, operation) => sum + operationBytes(operation), 0)
    return new Promise((resolve, reject) => {
      if (this.#closed) throw new StorageError('CLOSED', `${this.#options.name} is closed`)
      checkSignal(options.signal)
      if (this.#queueBytes + bytes > this.#options.queueBytesMax) {
        const limit = this.#options.queueBytesMax
        throw new StorageError('OVERLOADED', `${this.#options.name} has ${limit} bytes waiting`)
      }
      this.#enqueue(operations, bytes, options, resolve, reject)
    })
  }

  /** Refuses new calls, rejects queued ones with `CLOSED`. Those in flight end by themselves. */
  close(): void {
    this.#closed = true
    this.#queueBytes = 0
    for (const waiting of this.#queue.splice(0)) {
      waiting.reject(new StorageError('CLOSED', `${this.#options.name} is closed`))
    }
  }

  /** Accepts calls again after `close`. */
  open(): void {
    this.#closed = false
  }

  #enqueue(
    operations: readonly Operation[],
    bytes: number,
    { decide = false, unique = false, hint, cursor, signal, timeoutMs }: ApplyOptions,
    resolve: (result: ApplyResult) => void,
    reject: (error: unknown) => void,
  ): void {
    const { env, name } = this.#options
    const limitMs = timeoutMs ?? this.#options.timeoutMs
    const timer = env.setTimer(limitMs, () => {
      const sent = waiting.state === 'sent'
      const text = `${name} gave no answer within ${limitMs} ms`
      finish(() => reject(new StorageError('TIMEOUT', text, { effect: sent ? 'unknown' : 'none' })))
    })
    const onAbort = (): void => {
      const effect = waiting.state === 'sent' ? 'unknown' : 'none'
      const cause: unknown = signal?.reason
      finish(() => reject(new StorageError('TIMEOUT', 'the call was aborted', { effect, cause })))
    }
    const finish = (settle: () => void): void => {
      if (waiting.state === 'done') return
      if (waiting.state === 'queued') this.#drop(waiting)
      waiting.state = 'done'
      timer.cancel()
      signal?.removeEventListener('abort', onAbort)
      settle()
    }
    const waiting: Waiting = {
      call: {
        operations,
        decide,
        unique,
        ...(hint !== undefined && { hint }),
        ...(cursor !== undefined && { cursor }),
      },
      bytes,
      resolve: (result) => finish(() => resolve(result)),
      reject: (error) => finish(() => reject(error)),
      state: 'queued',
    }
    signal?.addEventListener('abort', onAbort, { once: true })
    this.#queue.push(waiting)
    this.#queueBytes += bytes
    this.#schedule()
  }

  #drop(waiting: Waiting): void {
    const index = this.#queue.indexOf(waiting)
    if (index === -1) return
    this.#queue.splice(index, 1)
    this.#queueBytes -= waiting.bytes
  }

  /** Deferred to a microtask, so that calls of one tick share the first batch too. */
  #schedule(): void {
    if (this.#scheduled || this.#queue.length === 0) return
    if (this.#inFlight >= this.#options.inFlightMax) return
    this.#scheduled = true
    queueMicrotask(() => {
      this.#scheduled = false
      if (this.#queue.length === 0 || this.#inFlight >= this.#options.inFlightMax) return
      const batch = this.#take()
      this.#inFlight++
      void this.#run(batch).finally(() => {
        this.#inFlight--
        this.#schedule()
      })
      this.#schedule()
    })
  }

  #take(): Waiting[] {
    let operations = 0
    let bytes = 0
    let count = 0
    for (const waiting of this.#queue) {
      const tooMany = operations + waiting.call.operations.length > BATCH_OPERATIONS_MAX
      if (count > 0 && (tooMany || bytes + waiting.bytes > BATCH_BYTES_MAX)) break
      operations += waiting.call.operations.length
      bytes += waiting.bytes
      count++
    }
    const batch = this.#queue.splice(0, count)
    this.#queueBytes -= bytes
    for (const waiting of batch) waiting.state = 'sent'
    return batch
  }

  async #run(batch: readonly Waiting[]): Promise<void> {
    try {
      const results = await this.#options.run(batch.map(({ call }) => call))
      batch.forEach((waiting, i) => {
        const result = results[i]!
        if (isStorageError(result)) waiting.reject(result)
        else waiting.resolve(result)
      })
    } catch (error) {
      if (batch.length > 1 && isStorageError(error, 'REJECTED')) {
        const middle = batch.length >> 1
        await this.#run(batch.slice(0, middle))
        await this.#run(batch.slice(middle))
        return
      }
      for (const waiting of batch) waiting.reject(asStorageError(this.#options.name, error))
    }
  }
}

function asStorageError(name: string, error: unknown): StorageError {
  if (isStorageError(error)) return error
  return new StorageError('UNAVAILABLE', `${name} failed: ${messageOf(error)}`, {
    effect: 'unknown',
    cause: error,
  })
}
