import { hash } from 'node:crypto'
import { LEASE_MS_MAX, LEASE_NAME_BYTES_MAX, USER_LEASE } from '../backend/lease.ts'
import type { Lease } from '../backend/replica-backend.ts'
import { isStorageError, StorageError } from '../core/errors.ts'
import { checkInteger } from '../core/limits.ts'
import { checkKey } from './check-arguments.ts'
import type { StoreCore } from './store-core.ts'

/** Time of one call of the primary. Milliseconds. */
const CALL_TIMEOUT_MS = 5_000

/** A lease that this store took. It may have ended, or been taken by another holder, at any time since. */
export interface KeyLease extends AsyncDisposable {
  readonly key: string
  /** Greater than that of every earlier holder of this key. */
  readonly token: number
  /**
   * Makes it last so long from now on, 1 to 600,000 ms. False when another holder has taken it: then the work
   * is no longer this one's, and once `release` was called. A lease that has ended and that nobody took is held again.
   *
   * @throws StorageError as `lease`.
   */
  extend(ttlMs: number): Promise<boolean>
  /** Gives it back; one that was taken over stays with its holder. Also at the end of `await using`. */
  release(): Promise<void>
}

/** Leases of keys, kept by the primary alone: one place decides. */
export class KeyLeases {
  readonly #core: StoreCore
  #count = 0

  constructor(core: StoreCore) {
    this.#core = core
  }

  async take(key: string, ttlMs: number): Promise<KeyLease | null> {
    checkKey(key)
    checkInteger('ttlMs', ttlMs, 1, LEASE_MS_MAX)
    // Each lease is a holder of its own, so that two calls of one process exclude each other too.
    const holder = `${this.#core.context.clock.writerId}/${++this.#count}`
    const ask = (ms: number, token?: number): Promise<Lease | undefined> =>
      this.#ask(key, holder, ms, token)
    const lease = await ask(ttlMs)
    if (lease === undefined) return null
    const { token } = lease
    let isReleased = false
    const extending = new Set<Promise<unknown>>()
    const release = async (): Promise<void> => {
      // A timer that goes on extending must not take it again, nor one that is late overtake this.
      isReleased = true
      await Promise.allSettled(extending)
      await ask(0, token)
    }
    return {
      key,
      token,
      extend: async (ms) => {
        checkInteger('ttlMs', ms, 1, LEASE_MS_MAX)
        if (isReleased) return false
        const asked = ask(ms, token)
        extending.add(asked)
        try {
          return (await asked) !== undefined
        } finally {
          extending.delete(asked)
        }
      },
      release,
      [Symbol.asyncDispose]: release,
    }
  }

  async #ask(
    key: string,
    holder: string,
    ttlMs: number,
    token?: number,
  ): Promise<Lease | undefined> {
    const request = { name: leaseName(key), holder, ttlMs, ...(token !== undefined && { token }) }
    return await this.#core.run(async () => {
      const { primary } = this.#core.context.places
      if (!primary.isUp()) throw out()
      const lease = await primary
        .call('lease', CALL_TIMEOUT_MS, (backend, options) => backend.lease!(request, options))
        .catch((error: unknown) => {
          throw isStorageError(error, 'CONNECTION') ? out(error) : error
        })
      if (lease?.token !== 0) return lease
      throw new StorageError('UNSUPPORTED', 'the engine of the primary keeps no leases')
    })
  }
}

/** Any key, in a name as long as those of leases may be. */
function leaseName(key: string): string {
  const name = `${USER_LEASE}/${key}`
  return Buffer.byteLength(name) <= LEASE_NAME_BYTES_MAX
    ? name
    : `${USER_LEASE}#${hash('sha256', key)}`
}

function out(cause?: unknown): StorageError {
  const text = 'the primary, which decides on leases, cannot be reached'
  return new StorageError('UNAVAILABLE', text, { effect: 'none', place: 'primary', cause })
}
