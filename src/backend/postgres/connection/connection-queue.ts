import { Deadline } from '../../../core/deadline.ts'
import type { Env } from '../../../core/env.ts'
import { StorageError } from '../../../core/errors.ts'

/** Calls that may wait for a connection. */
const WAITING_MAX = 10_000

interface Waiter {
  readonly ended: () => boolean
  /** `true` hands a connection over, `false` says that there will be none. */
  readonly wake: (taken: boolean) => void
}

/**
 * As many calls at a time as there are connections. The rest waits here, in order and only as long
 * as its own deadline allows; the pool's queue would apply the limit for connecting to it.
 */
export class ConnectionQueue {
  readonly #env: Env
  readonly #max: number
  readonly #waitMs: number
  #queue: Waiter[] = []
  #taken = 0
  #closed = false
  #onIdle: (() => void) | undefined

  /** `waitMs`: a call that has waited for so long gives up, also before its own deadline. */
  constructor(env: Env, max: number, waitMs: number = Infinity) {
    this.#env = env
    this.#max = max
    this.#waitMs = waitMs
  }

  get waiting(): number {
    return this.#queue.length
  }

  /** Resolves with the function that gives the connection back. `ended`: nobody waits for it any more. */
  async take(ended: () => boolean): Promise<() => void> {
    if (this.#closed) throw closed()
    if (this.#taken < this.#max) this.#taken++
    else await this.#wait(ended)
    return () => this.#release()
  }

  /** Refuses those who wait; resolves when the last one has been given back. */
  async close(): Promise<void> {
    this.#closed = true
    for (const { wake } of this.#queue.splice(0)) wake(false)
    if (this.#taken > 0) await new Promise<void>((resolve) => (this.#onIdle = resolve))
  }

  async #wait(ended: () => boolean): Promise<void> {
    if (this.#queue.length >= WAITING_MAX) {
      this.#queue = this.#queue.filter((waiter) => !waiter.ended())
    }
    if (this.#queue.length >= WAITING_MAX) {
      throw new StorageError('OVERLOADED', `${WAITING_MAX} calls wait for PostgreSQL`)
    }
    if (!(await this.#queued(ended))) throw closed()
  }

  #queued(ended: () => boolean): Promise<boolean> {
    let waiter: Waiter
    const woken = new Promise<boolean>((wake) => {
      waiter = { ended, wake }
      this.#queue.push(waiter)
    })
    return new Deadline(this.#env, this.#waitMs).wait(woken, () => {
      // Out of the queue at once, so that no connection is handed to a call that has given up.
      this.#queue = this.#queue.filter((other) => other !== waiter)
      const text = `no connection to PostgreSQL was free within ${this.#waitMs} ms`
      return Promise.reject(new StorageError('TIMEOUT', text))
    })
  }

  #release(): void {
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      if (!next.ended()) return next.wake(true)
      next.wake(false)
    }
    this.#taken--
    if (this.#taken === 0) this.#onIdle?.()
  }
}

function closed(): StorageError {
  return new StorageError('CLOSED', 'PostgreSQL backend is closed')
}
