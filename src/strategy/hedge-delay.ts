import type { DatabasePlace } from '../core/places.ts'
import type { StoreContext } from './context.ts'

export interface HedgeBounds {
  readonly minMs: number
  readonly maxMs: number
  /** The delay as a multiple of the place's recent p99. */
  readonly factor: number
}

export const HEDGE_BOUNDS: HedgeBounds = { minMs: 25, maxMs: 1_000, factor: 3 }

/**
 * How long to wait for the primary to take a save before another place is asked as well. The first save is
 * waited for longer: it is not late for being the first.
 */
export function saveDelayMs(context: StoreContext, bounds: HedgeBounds): number {
  const coldMs = context.places.primary.coldMs('apply', bounds.maxMs)
  return Math.max(coldMs, hedgeDelayMs(context, 'primary', bounds))
}

/**
 * How long to wait for a place before another one is asked as well. It follows the place's recent
 * p99, so that few calls are doubled while the place is well, and a hung one costs little.
 */
export function hedgeDelayMs(
  context: StoreContext,
  place: DatabasePlace,
  { minMs, maxMs, factor }: HedgeBounds,
): number {
  const { latency } = context.health.getHealthStats(place)
  const wanted = latency.samples === 0 ? minMs * factor : latency.p99 * factor
  return Math.min(maxMs, Math.max(minMs, wanted))
}
