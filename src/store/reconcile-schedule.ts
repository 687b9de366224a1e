import { DATABASE_PLACES } from '../core/places.ts'
import type { StoreContext } from '../strategy/context.ts'
import type { ResolvedReconcileOptions } from '../sync/reconcile-options.ts'

/** An entry that is pending for longer is of an outage that is being caught up. Milliseconds. */
const BACKLOG_MS = 10_000
/** A pass after an outage does not wait longer for the catch-up: that may never end. Milliseconds. */
const CATCH_UP_MAX_MS = 60_000

/** Tells when a pass is due: by the clock, or because an outage has ended. */
export class ReconcileSchedule {
  readonly #context: StoreContext
  readonly #options: ResolvedReconcileOptions
  #nextAt: number | undefined
  /** A place was out since the last pass. */
  #wasOut = false
  /** Since when both are back. */
  #backAt: number | undefined

  constructor(context: StoreContext, options: ResolvedReconcileOptions) {
    this.#context = context
    this.#options = options
  }

  /** Called again and again. What it answers is taken as done: the next one is due later. */
  look(isConnected: boolean): 'clock' | 'outage' | undefined {
    if (this.#options.when !== 'clock') return undefined
    const { env, places } = this.#context
    const now = env.monotonic()
    this.#nextAt ??= now + this.#pauseMs()
    if (!isConnected || !DATABASE_PLACES.every((place) => places[place].isUp())) {
      this.#wasOut = true
      this.#backAt = undefined
      return undefined
    }
    if (this.#wasOut) {
      this.#backAt ??= now
      if (this.#hasBacklog() && now - this.#backAt < CATCH_UP_MAX_MS) return undefined
    } else if (now < this.#nextAt) return undefined
    const reason = this.#wasOut ? 'outage' : 'clock'
    this.#wasOut = false
    this.#backAt = undefined
    this.#nextAt = now + this.#pauseMs()
    return reason
  }

  #hasBacklog(): boolean {
    const { log } = this.#context.log.getStats()
    if (log === undefined) return false
    return DATABASE_PLACES.some((place) => log.places[place].oldestPendingMs > BACKLOG_MS)
  }

  /** Processes that were started together do not all ask at once. */
  #pauseMs(): number {
    return this.#options.intervalMs * (0.75 + 0.25 * this.#context.env.random())
  }
}
