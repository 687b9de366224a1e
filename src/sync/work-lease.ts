import type { Lease, LeaseFence } from '../backend/replica-backend.ts'
import { StorageError } from '../core/errors.ts'
import type { Timer } from '../core/env.ts'
import { DATABASE_PLACES, type DatabasePlace } from '../core/places.ts'
import { sleep } from '../core/time.ts'
import type { StoreContext } from '../strategy/context.ts'

/** After this long without a sign of life the work is another process's. Milliseconds. */
const LEASE_MS = 10_000
const RENEW_MS = 3_000
const CALL_TIMEOUT_MS = 5_000
/** Pause before a lease that another process has is asked for again. Milliseconds. */
const RETRY_MS = 500

type Tokens = Readonly<Record<DatabasePlace, number>>

/**
 * The right to do work on both databases that one process at a time should do. It is taken in both,
 * first in the backup: each database fences its own writes with its own token, so a holder that was
 * paused and overtaken can do no harm in either, and a database that was replaced knows nobody.
 *
 * The note is kept in the backup, for whoever has the lease next.
 */
export class WorkLease {
  readonly note: string | undefined
  readonly #context: StoreContext
  readonly #name: string
  readonly #tokens: Tokens
  #nextNote: string | undefined
  #timer: Timer | undefined
  #renewing: Promise<void> = Promise.resolve()
  #lost = false
  #ended = false

  private constructor(context: StoreContext, name: string, backup: Lease, primary: Lease) {
    this.#context = context
    this.#name = name
    this.#tokens = { primary: primary.token, backup: backup.token }
    this.note = backup.note
    this.#schedule()
  }

  /** Undefined while another process has it. Waits for it up to `waitMs`. */
  static async take(
    context: StoreContext,
    name: string,
    waitMs = 0,
    signal?: AbortSignal,
  ): Promise<WorkLease | undefined> {
    const { env } = context
    const until = env.monotonic() + waitMs
    for (;;) {
      const lease = await WorkLease.#attempt(context, name)
      if (lease !== undefined || env.monotonic() >= until) return lease
      await sleep(env, RETRY_MS, signal)
      if (signal?.aborted === true) return undefined
    }
  }

  static async #attempt(context: StoreContext, name: string): Promise<WorkLease | undefined> {
    const backup = await ask(context, 'backup', name, LEASE_MS)
    if (backup === undefined) return undefined
    try {
      const primary = await ask(context, 'primary', name, LEASE_MS)
      if (primary !== undefined) return new WorkLease(context, name, backup, primary)
    } catch (error) {
      await ask(context, 'backup', name, 0, backup.token).catch(() => {
        // It ends by itself.
      })
      throw error
    }
    await ask(context, 'backup', name, 0, backup.token)
    return undefined
  }

  /** Goes with each write that only the holder may make. */
  fence(place: DatabasePlace): LeaseFence {
    return { name: this.#name, token: this.#tokens[place] }
  }

  /** Throws when another process may be at work already. */
  check(): void {
    if (!this.#lost) return
    throw new StorageError('UNAVAILABLE', `another process has taken over: ${this.#name}`)
  }

  /** What the next holder finds; it is written with the next sign of life. */
  leaveNote(note: string): void {
    this.#nextNote = note
  }

  /** Gives it back. What fails here ends by itself. */
  async release(): Promise<void> {
    this.#ended = true
    this.#timer?.cancel()
    await this.#renewing
    if (this.#lost) return
    await Promise.allSettled(DATABASE_PLACES.map((place) => this.#extend(place, 0)))
  }

  #schedule(): void {
    this.#timer = this.#context.env.setTimer(RENEW_MS, () => {
      this.#renewing = this.#renew()
    })
  }

  async #renew(): Promise<void> {
    try {
      const held = await Promise.all(DATABASE_PLACES.map((place) => this.#extend(place, LEASE_MS)))
      if (held.includes(undefined)) this.#lost = true
    } catch {
      // A place that is out is told to the health manager; the pass fails at its next call.
    }
    if (!this.#ended && !this.#lost) this.#schedule()
  }

  async #extend(place: DatabasePlace, ttlMs: number): Promise<Lease | undefined> {
    const note = place === 'backup' ? this.#nextNote : undefined
    return await ask(this.#context, place, this.#name, ttlMs, this.#tokens[place], note)
  }
}

async function ask(
  { clock, places }: StoreContext,
  place: DatabasePlace,
  name: string,
  ttlMs: number,
  token?: number,
  note?: string,
): Promise<Lease | undefined> {
  const request = {
    name,
    holder: clock.writerId,
    ttlMs,
    // 0: the engine has no leases, and every process does the work.
    ...(token !== undefined && token !== 0 && { token }),
    ...(note !== undefined && { note }),
  }
  if (token === 0) return { token }
  return await places[place].call('lease', CALL_TIMEOUT_MS, async (backend, options) =>
    backend.lease === undefined ? { token: 0 } : await backend.lease(request, options),
  )
}
