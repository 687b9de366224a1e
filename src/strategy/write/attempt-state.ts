import {
  effectOf,
  isCallersFault,
  isStorageError,
  messageOf,
  StorageError,
  type Effect,
} from '../../core/errors.ts'
import { DATABASE_PLACES, type PlaceName } from '../../core/places.ts'
import type { StoreContext } from '../context.ts'
import { isDurable, mayBeDurable } from './durable-places.ts'
import { PLACES, type AttemptView, type Time } from './next-step.ts'
import type { PlaceState, PlaceStates, WritePolicy } from './write-policy.ts'
import type { ResolvedWriteConfig, WriteGroup } from './write-port.ts'

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

  constructor(
    context: StoreContext,
    policy: WritePolicy,
    { minCopies, decideWithoutPrimary }: ResolvedWriteConfig,
    { operations, unique }: WriteGroup,
  ) {
    this.#context = context
    this.#minCopies = minCopies
    this.policy = policy
    this.decideWithoutPrimary = decideWithoutPrimary
    const isClear = operations.some(({ kind }) => kind === 'delete')
    this.kind = isClear ? 'clear' : unique ? 'ids' : 'plain'
    if (!context.log.hasLog()) this.places.wal = 'failed'
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
    return this.places.wal !== 'done' && this.#context.log.isRequired()
  }

  isDurable(copies: readonly PlaceName[]): boolean {
    if (copies.length === 0) return false
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

  /** A mistake of the caller's, or data that neither database can store. */
  isHopeless(error: unknown): boolean {
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
