import { DATABASE_PLACES } from '../../core/places.ts'
import type { StoreContext } from '../context.ts'
import type { PlaceStates } from './write-policy.ts'

/**
 * The states with each copy counted once: a log on the server of a database that has the group is
 * the same copy, not a second one.
 */
export function distinctStates({ log, places }: StoreContext, states: PlaceStates): PlaceStates {
  if (states.wal !== 'done' || !log.isShared()) return states
  const twin = DATABASE_PLACES.some(
    (place) => states[place] === 'done' && log.isOnServer(places[place].serverIds()),
  )
  return twin ? { ...states, wal: 'failed' } : states
}
