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
import { distinctStates } from './distinct-states.ts'
import { isDurable, mayBeDurable } from './durable-places.ts'
import { PLACES, type AttemptView } from './next-step.ts'
import type { PlaceState } from './write-policy.ts'

/** The answers of the places to one attempt. It sends nothing and decides nothing. */
export class AttemptState {
  readonly of: Record<PlaceName, PlaceState> = { primary: 'idle', backup: 'idle', wal: 'idle' }
  readonly errors: StorageError[] = []
  /** Tells other processes, through the backup, that the primary lacks the group. */
  hint: 'none' | 'sent' | 'done' = 'none'
  /** A database has it, whatever became of its hint. */
  taken = false
  readonly #context: StoreContext
  readonly #minCopies: number

  constructor(context: StoreContext, minCopies: number) {
    this.#context = context
    this.#minCopies = minCopies
  }

  failed(place: PlaceName, error: unknown): void {
    this.of[place] = 'failed'
    const cause = { effect: effectOf(error), place, cause: error }
    this.errors.push(
      error instanceof StorageError
        ? error
        : new StorageError('UNAVAILABLE', messageOf(error), cause),
    )
  }

  /** What the next step depends on. */
  view(): Pick<AttemptView, 'places' | 'distinct' | 'hint' | 'lacksLog' | 'isDurable'> {
    return {
      places: this.of,
      distinct: distinctStates(this.#context, this.of),
      hint: this.hint,
      lacksLog: this.#context.log.isRequired() && this.of.wal !== 'done',
      isDurable: (copies) => this.#isDurable(copies),
    }
  }

  #isDurable(copies: readonly PlaceName[]): boolean {
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
    return PLACES.some((place) => this.of[place] === 'done')
  }

  /** Somebody has yet to answer. */
  isUnderWay(): boolean {
    return PLACES.some((place) => this.of[place] === 'sent')
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
      PLACES.some((place) => this.of[place] === 'sent' || this.of[place] === 'done') ||
      this.errors.some(({ effect }) => effect === 'unknown')
    return touched ? 'unknown' : 'none'
  }
}
