import type { Condition } from '../core/conditions.ts'
import { deadlineOf } from '../core/deadline.ts'
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
  readonly conditions?: readonly Condition[]
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
}

/**
 * Coalesces concurrent `apply` calls: while a batch is in flight the next one gathers, so one
 * commit is shared by many saves and a lone save is not delayed.
 */
export class Batcher {
  readonly #options: Required<BatcherOptions>
  /** In the order of arrival; a set, because a call that is given up leaves from anywhere. */
  readonly #queue = new Set<Waiting>()
  #queueBytes = 0
  #inFlight = 0
  #scheduled = false
  #closed = false

  constructor(options: BatcherOptions) {
    this.#options = { queueBytesMax: 64 * 1024 * 1024, ...options }
  }

  async submit(operations: readonly Operation[], options: ApplyOptions = {}): Promise<ApplyResult> {
    const { env, name, queueBytesMax, timeoutMs } = this.#options
    const bytes = operations.reduce((sum, operation) => sum + operationBytes(operation), 0)
    if (this.#closed) throw new StorageError('CLOSED', `${name} is closed`)
    checkSignal(options.signal)
    if (this.#queueBytes + bytes > queueBytesMax) {
      throw new StorageError('OVERLOADED', `${name} has ${queueBytesMax} bytes waiting`)
    }
    const { decide = false, unique = false, conditions, hint, cursor } = options
    const call: BatchCall = {
      operations,
      decide,
      unique,
      ...(conditions !== undefined && conditions.length > 0 && { conditions }),
      ...(hint !== undefined && { hint }),
      ...(cursor !== undefined && { cursor }),
    }
    let leave = (): boolean => false
    const answer = new Promise<ApplyResult>((resolve, reject) => {
      leave = this.#enqueue({ call, bytes, resolve, reject })
    })
    const deadline = deadlineOf(env, options, timeoutMs)
    return await deadline.wait(answer, () => {
      const effect = leave() ? 'none' : 'unknown'
      return Promise.reject(deadline.error(name, { effect }))
    })
  }

  /** Refuses new calls, rejects queued ones with `CLOSED`. Those in flight end by themselves. */
  close(): void {
    this.#closed = true
    this.#queueBytes = 0
    const left = [...this.#queue]
    this.#queue.clear()
    for (const waiting of left) {
      waiting.reject(new StorageError('CLOSED', `${this.#options.name} is closed`))
    }
  }

  /** Accepts calls again after `close`. */
  open(): void {
    this.#closed = false
  }

  /** Returns what takes it out of the queue: false when it was sent. */
  #enqueue(waiting: Waiting): () => boolean {
    this.#queue.add(waiting)
    this.#queueBytes += waiting.bytes
    this.#schedule()
    return () => {
      const isQueued = this.#queue.delete(waiting)
      if (isQueued) this.#queueBytes -= waiting.bytes
      return isQueued
    }
  }

  /** Deferred to a microtask, so that calls of one tick share the first batch too. */
  #schedule(): void {
    if (this.#scheduled || this.#queue.size === 0) return
    if (this.#inFlight >= this.#options.inFlightMax) return
    this.#scheduled = true
    queueMicrotask(() => {
      this.#scheduled = false
      if (this.#queue.size === 0 || this.#inFlight >= this.#options.inFlightMax) return
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
    const batch: Waiting[] = []
    for (const waiting of this.#queue) {
      const tooMany = operations + waiting.call.operations.length > BATCH_OPERATIONS_MAX
      if (batch.length > 0 && (tooMany || bytes + waiting.bytes > BATCH_BYTES_MAX)) break
      operations += waiting.call.operations.length
      bytes += waiting.bytes
      batch.push(waiting)
    }
    this.#queueBytes -= bytes
    for (const waiting of batch) this.#queue.delete(waiting)
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
