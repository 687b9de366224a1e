import type { Env } from '../core/env.ts'
import { messageOf } from '../core/errors.ts'
import { withoutPlace, type PlaceName } from '../core/places.ts'
import type { StartFailure } from './start-outcome.ts'

/** A place that comes and goes is told of no more often. Milliseconds. */
const OUT_AGAIN_MS = 10_000
/** One that is out for less is between two connections. Milliseconds. */
const SETTLE_MS = 500
/** After so long without a save with one copy the next one is told of again. Milliseconds. */
const ONE_COPY_AGAIN_MS = 60_000

/** What can be known of a place without asking it. */
export interface WatchedPlace {
  /** As a person would see it in messages: `the primary`. */
  readonly title: string
  readonly isConnected: () => boolean
  /** Calls are expected to succeed. */
  readonly isUp: () => boolean
  /** Why not, without passwords. */
  readonly reason: () => string | undefined
}

interface Told {
  out: boolean
  outAt: number
  /** What counts is that it is connected: it never was. */
  isNew: boolean
  /** When a look found it out first, since it was well. */
  suspectAt: number | undefined
}

/**
 * Tells the logger what a person must know of the places: one line when something changes, not one for each
 * call that meets it. Each line has the field `event`.
 */
export class PlaceNews {
  readonly #env: Env
  readonly #places: ReadonlyMap<PlaceName, WatchedPlace>
  readonly #told = new Map<PlaceName, Told>()
  #oneCopyAt = Number.NEGATIVE_INFINITY

  constructor(env: Env, places: Readonly<Partial<Record<PlaceName, WatchedPlace>>>) {
    this.#env = env
    this.#places = new Map(Object.entries(places) as [PlaceName, WatchedPlace][])
    for (const place of this.#places.keys()) this.#told.set(place, nothingTold())
  }

  /** The store has opened without these. */
  opened(failures: readonly StartFailure[]): void {
    for (const { place, error } of failures) {
      const told = this.#told.get(place)
      if (told === undefined) continue
      Object.assign(told, { out: true, isNew: true, outAt: this.#env.monotonic() })
      const reason = withoutPlace(place, messageOf(error))
      this.#warn('not-connected', place, 'is not connected and is tried again', reason)
    }
  }

  /** Compares what was told with how it is. Costs no round trip; called about once a second. */
  look(): void {
    for (const [place, watched] of this.#places)
      this.#lookAt(place, watched, this.#told.get(place)!)
  }

  /** A save was acknowledged by these places alone. */
  oneCopy(copies: readonly PlaceName[]): void {
    const since = this.#env.monotonic() - this.#oneCopyAt
    this.#oneCopyAt = this.#env.monotonic()
    if (since < ONE_COPY_AGAIN_MS) return
    const where = copies.map((place) => this.#places.get(place)?.title ?? place).join(', ')
    const text = `saves have one copy only, in ${where}, until another place is back`
    this.#env.logger.warn({ event: 'one-copy', copies }, text)
  }

  #lookAt(place: PlaceName, { isConnected, isUp, reason }: WatchedPlace, told: Told): void {
    const isOut = !isUp() || (told.isNew && !isConnected())
    if (!isOut) {
      if (told.out) this.#warn('back', place, 'is back')
      Object.assign(told, { ...nothingTold(), outAt: told.outAt })
      return
    }
    const now = this.#env.monotonic()
    told.suspectAt ??= now
    if (told.out || now - told.suspectAt < SETTLE_MS || now - told.outAt < OUT_AGAIN_MS) return
    told.out = true
    told.outAt = now
    this.#warn('out', place, 'is out and is tried again', reason())
  }

  #warn(event: string, place: PlaceName, what: string, reason?: string): void {
    const error = reason === undefined ? undefined : withoutPlace(place, reason)
    const fields = { event, place, ...(error !== undefined && { error }) }
    this.#env.logger.warn(fields, `${this.#places.get(place)!.title} ${what}`)
  }
}

function nothingTold(): Told {
  return { out: false, outAt: Number.NEGATIVE_INFINITY, isNew: false, suspectAt: undefined }
}
