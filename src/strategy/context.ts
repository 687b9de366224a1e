import type { Env } from '../core/env.ts'
import type { Item } from '../core/merge.ts'
import type { DatabasePlace, PlaceName } from '../core/places.ts'
import type { Stamp, StampClock } from '../core/stamp.ts'
import type { HealthManager } from '../health/health-manager.ts'
import type { WALManager } from '../wal/wal-manager.ts'
import type { SharedCache } from './cache/shared-cache.ts'
import type { KnownIds } from './known-ids.ts'
import type { Place } from './place.ts'
import type { ReplicaMonitor } from './replica-monitor.ts'
import type { SeenTombstones } from './seen-tombstones.ts'

/** What the strategies of one store share. */
export interface StoreContext {
  readonly env: Env
  readonly clock: StampClock
  readonly log: WALManager
  readonly health: HealthManager
  readonly places: Readonly<Record<DatabasePlace, Place>>
  readonly monitor: ReplicaMonitor
  readonly tombstones: SeenTombstones
  readonly known: KnownIds
  /** Undefined when no read strategy uses one. */
  readonly cache: SharedCache | undefined
  /** Told about what happened behind the caller's back. */
  readonly notify: (event: StoreNotice) => void
}

/** Something that no return value can tell. */
export type StoreNotice =
  | { readonly kind: 'conflict'; readonly key: string; readonly id: string }
  | { readonly kind: 'replica-changed'; readonly place: DatabasePlace; readonly identity: string }
  | { readonly kind: 'clock-drift'; readonly key: string; readonly aheadMs: number }
  | {
      readonly kind: 'damaged'
      readonly place: DatabasePlace
      readonly key: string
      readonly repaired: boolean
    }
  | {
      readonly kind: 'clock-disagrees'
      readonly place: DatabasePlace
      readonly aheadMs: number
    }
  | { readonly kind: 'degraded-write'; readonly copies: readonly PlaceName[] }

/** Whoever has read a message writes after it. */
export function observeItems({ clock }: StoreContext, key: string, items: readonly Item[]): void {
  for (const { position, editedAt } of items) {
    clock.observe(position, key)
    clock.observe(editedAt, key)
  }
}

/** Observes what a place answered about a key: later stamps are greater, reads never go back. */
export function observeKey(context: StoreContext, key: string, stamp: Stamp | undefined): void {
  if (stamp === undefined) return
  context.clock.observe(stamp, key)
  context.tombstones.see(key, stamp)
}
