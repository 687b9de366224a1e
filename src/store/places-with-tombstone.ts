import { DATABASE_PLACES, type DatabasePlace } from '../core/places.ts'
import type { Stamp } from '../core/stamp.ts'
import type { StoreContext } from '../strategy/context.ts'

const TIMEOUT_MS = 2_000

/** The databases that answer that this key is cleared up to the stamp. */
export async function placesWithTombstone(
  context: StoreContext,
  key: string,
  stamp: Stamp,
): Promise<readonly DatabasePlace[]> {
  const answers = await Promise.allSettled(
    DATABASE_PLACES.map((place) =>
      context.places[place].call('readRegister', TIMEOUT_MS, (backend, options) =>
        backend.readRegister(key, options),
      ),
    ),
  )
  return DATABASE_PLACES.filter((_, i) => {
    const answer = answers[i]!
    return answer.status === 'fulfilled' && (answer.value.deletedThrough ?? '') >= stamp
  })
}
