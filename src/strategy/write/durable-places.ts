import type { PlaceName } from '../../core/places.ts'
import type { StoreContext } from '../context.ts'

/** False when the place is known not to keep a copy through a crash; true while it is unknown. */
export function mayBeDurable({ log, places }: StoreContext, place: PlaceName): boolean {
  return place === 'wal' ? log.isDurable() || log.isUnknown() : places[place].mayBeDurable()
}

/** True when the place's copy survives a crash of its process and machine. */
export function isDurable(context: StoreContext, place: PlaceName): boolean {
  return place === 'wal' ? context.log.isDurable() : context.places[place].isDurable()
}
