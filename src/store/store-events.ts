import { unknownName } from '../core/options.ts'
import { showValue } from '../core/show-value.ts'
import type { DatabasePlace, PlaceName } from '../core/places.ts'
import type { HealthStats } from '../health/health-manager.ts'
import type { ReconcileReport } from '../sync/reconcile-report.ts'

/** What happens behind the callers' backs. */
export interface StoreEvents {
  /** A place stopped or started to answer. */
  health: { readonly place: DatabasePlace; readonly healthy: boolean; readonly stats: HealthStats }
  /** A write was acknowledged by fewer than two places. */
  degraded: { readonly copies: readonly PlaceName[] }
  /** Two contents were saved under one id through places that could not see each other. */
  conflict: { readonly key: string; readonly id: string }
  /** A database came back empty or older: it is sent everything again and reconciled. */
  'replica-changed': { readonly place: DatabasePlace; readonly identity: string }
  /** Somebody's clock is far ahead; it is followed for this key only. */
  'clock-drift': { readonly key: string; readonly aheadMs: number }
  /** A read met a row that cannot be what was written. It was served from the other database. */
  damaged: { readonly place: DatabasePlace; readonly key: string; readonly repaired: boolean }
  /**
   * A database's clock differs from this process's own by more than `maxClockDriftMs`; negative: it is
   * behind. Retention by age and erases of prefixes are refused until they agree. Told again every
   * minute; what was found while the store was being opened is in `status()`.
   */
  'clock-disagrees': { readonly place: DatabasePlace; readonly aheadMs: number }
  reconciled: ReconcileReport
  /** A background task failed; it is tried again. */
  error: { readonly task: string; readonly error: unknown }
}

const EVENTS: Readonly<Record<keyof StoreEvents, true>> = {
  health: true,
  degraded: true,
  conflict: true,
  'replica-changed': true,
  'clock-drift': true,
  damaged: true,
  'clock-disagrees': true,
  reconciled: true,
  error: true,
}

/** Refuses a name that no event has: its listener would never be called. */
export function checkEvent(name: unknown): asserts name is keyof StoreEvents {
  if (typeof name === 'string' && Object.hasOwn(EVENTS, name)) return
  const text = typeof name === 'string' ? name : ''
  throw unknownName(`event ${showValue(name)}`, text, Object.keys(EVENTS))
}
