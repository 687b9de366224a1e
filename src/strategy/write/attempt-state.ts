import {
  effectOf,
  isCallersFault,
  isStorageError,
  messageOf,
  StorageError,
  unreachable,
  type Effect,
} from '../../core/errors.ts'
import { DATABASE_PLACES, type PlaceName } from '../../core/places.ts'
import type { StoreContext } from '../context.ts'
import { isDurable, mayBeDurable } from './durable-places.ts'
import { isDecided, PLACES, type AttemptView, type Time } from './next-step.ts'
import { ONE_DATABASE } from './policies.ts'
import type { PlaceState, PlaceStates, WritePolicy } from './write-policy.ts'
import type { ResolvedWriteConfig, WriteGroup } from './write-port.ts'

/** How an attempt fails. */
export type FailCode = 'UNAVAILABLE' | 'TIMEOUT' | 'OVERLOADED'

export const LOG_OUT = 'the log is out, and saves are to be refused without it'
const PRIMARY_OUT = 'the primary, which alone may judge the conditions, could not be reached'

/** What is known of one attempt. It sends nothing and decides nothing. */
export class AttemptState implements AttemptView {
  readonly policy: WritePolicy
  readonly kind: AttemptView['kind']
  readonly places: Record<PlaceName, PlaceState> = { primary: 'idle', backup: 'idle', wal: 'idle' }
  readonly decideWithoutPrimary: boolean
  hint: AttemptView['hint'] = 'none'
  time: Time = 'early'
  primarySilent = false
  primarySkipped = false
  /** A database has it, whatever became of its hint. */
  taken = false
  readonly errors: StorageError[] = []
  readonly #context: StoreContext
  readonly #minCopies: number
  readonly #isEmpty: boolean

  constructor(
    context: StoreContext,
    policy: WritePolicy,
    { minCopies, decideWithoutPrimary }: ResolvedWriteConfig,
    { operations, unique, guard }: WriteGroup,
  ) {
    this.#context = context
    this.#minCopies = minCopies
    // Nothing but conditions: they are judged, and no copy is to be made.
    this.#isEmpty = operations.length === 0
    this.policy = this.#isEmpty ? ONE_DATABASE : policy
    this.decideWithoutPrimary = decideWithoutPrimary && guard?.decide !== 'primary'
    const isClear = operations.some(({ kind }) => kind === 'delete')
    this.kind = guard !== undefined ? 'if' : isClear ? 'clear' : unique ? 'ids' : 'plain'
    if (!context.log.hasLog() || this.#isEmpty) this.places.wal = 'failed'
    if (context.places.backup.isAbsent) this.places.backup = 'failed'
  }

  failed(place: PlaceName, error: unknown): void {
    this.places[place] = 'failed'
    const cause = { effect: effectOf(error), place, cause: error }
    this.errors.push(
      error instanceof StorageError
        ? error
        : new StorageError('UNAVAILABLE', messageOf(error), cause),
    )
  }

  /** A log on the server of a database that has the group is the same copy, not a second one. */
  get distinct(): PlaceStates {
    const { log, places } = this.#context
    if (this.places.wal !== 'done' || !log.isShared()) return this.places
    const twin = DATABASE_PLACES.some(
      (name) => this.places[name] === 'done' && log.isOnServer(places[name].serverIds()),
    )
    return twin ? { ...this.places, wal: 'failed' } : this.places
  }

  get lacksLog(): boolean {
    return !this.#isEmpty && this.places.wal !== 'done' && this.#context.log.isRequired()
  }

  isDurable(copies: readonly PlaceName[]): boolean {
    if (copies.length === 0) return false
    if (this.#isEmpty) return true
    const context = this.#context
    const durable = copies.filter((place) => isDurable(context, place)).length
    if (durable > 0 && durable >= this.#minCopies) return true
    const possible = PLACES.filter((place) => mayBeDurable(context, place)).length
    // Where nothing is durable by configuration, any copy counts; the receipt says what it is.
    if (possible === 0) return true
    return durable >= Math.min(this.#minCopies, possible)
  }

  /** Some place has it. */
  isAnywhere(): boolean {
    return PLACES.some((place) => this.places[place] === 'done')
  }

  /** Somebody has yet to answer. */
  isUnderWay(): boolean {
    return PLACES.some((place) => this.places[place] === 'sent')
  }

  /** Why it ends without being acknowledged: a code and a text. */
  endOf(why: 'time' | 'copies' | 'log', timeoutMs: number): readonly [FailCode, string] {
    switch (why) {
      case 'time':
        return ['TIMEOUT', `no decision within ${timeoutMs} ms`]
      case 'copies':
        return [
          'UNAVAILABLE',
          this.#isLeftToPrimary() ? PRIMARY_OUT : 'too few places could be reached',
        ]
      case 'log':
        return ['UNAVAILABLE', LOG_OUT]
      default:
        return unreachable(why)
    }
  }

  #isLeftToPrimary(): boolean {
    return this.kind === 'if' && !this.decideWithoutPrimary && !isDecided(this.places)
  }

  /** A mistake of the caller's, or data that neither database can store. */
  isHopeless(error: unknown): boolean {
    // While the primary is there nobody else may judge what it cannot.
    if (isStorageError(error, 'UNSUPPORTED')) return this.kind === 'if' && error.place === 'primary'
    if (!isCallersFault(error)) return false
    if (!isStorageError(error, 'REJECTED')) return true
    const refusals = this.errors.filter(({ code }) => code === 'REJECTED')
    return DATABASE_PLACES.every((name) => refusals.some(({ place }) => place === name))
  }

  effect(): Effect {
    const touched =
      this.taken ||
      PLACES.some((place) => this.places[place] === 'sent' || this.places[place] === 'done') ||
      this.errors.some(({ effect }) => effect === 'unknown')
    return touched ? 'unknown' : 'none'
  }
}
