import type { PlaceName } from '../../core/places.ts'

/** `idle`: not asked yet. `failed`: it answered with an error, or is not asked at all. */
export type PlaceState = 'idle' | 'sent' | 'done' | 'failed'

export type PlaceStates = Readonly<Record<PlaceName, PlaceState>>

/** What tells the strategies apart. */
export interface WritePolicy {
  /** Places that get a group with fresh ids at once. */
  readonly atOnce: readonly PlaceName[]
  /** True when these places are enough. `overdue`: the hedge delay has passed. */
  enough(states: PlaceStates, overdue: boolean): boolean
}
