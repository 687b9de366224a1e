import type { ReplicaBackend } from '../../src/backend/replica-backend.ts'
import { nodeEnv } from '../../src/core/node-env.ts'
import { StampClock } from '../../src/core/stamp.ts'
import { SimpleHealthManager } from '../../src/health/simple.ts'
import type { StoreContext, StoreNotice } from '../../src/strategy/context.ts'
import { Place } from '../../src/strategy/place.ts'
import { ReplicaMonitor } from '../../src/strategy/replica-monitor.ts'
import { KnownIds } from '../../src/strategy/known-ids.ts'
import { SeenTombstones } from '../../src/strategy/seen-tombstones.ts'
import { resolveReconcileOptions, type ReconcileOptions } from '../../src/sync/reconcile-options.ts'
import { Reconciler } from '../../src/sync/reconciler.ts'
import { WALManager } from '../../src/wal/wal-manager.ts'

export interface ReconcilerRig {
  readonly reconciler: Reconciler
  readonly context: StoreContext
  readonly notices: StoreNotice[]
}

/** A reconciler between two connected databases, without the rest of a store: nothing runs by itself. */
export function reconcilerRig(
  primary: ReplicaBackend,
  backup: ReplicaBackend,
  options: ReconcileOptions = {},
): ReconcilerRig {
  const env = nodeEnv()
  const health = new SimpleHealthManager(env)
  const log = new WALManager(env, undefined)
  const clock = new StampClock({ now: () => env.now(), writer: env.randomBytes(8) })
  const places = {
    primary: new Place(env, 'primary', primary, health),
    backup: new Place(env, 'backup', backup, health),
  }
  const monitor = new ReplicaMonitor({
    env,
    clock,
    log,
    places,
    timeoutMs: 10_000,
    maxClockDriftMs: 300_000,
    onClockDisagrees: () => {},
    keepsHint: () => false,
    onReplicaChanged: () => {},
  })
  const notices: StoreNotice[] = []
  const tombstones = new SeenTombstones()
  const context: StoreContext = {
    env,
    clock,
    log,
    health,
    places,
    monitor,
    tombstones,
    known: new KnownIds(tombstones),
    cache: undefined,
    notify: (notice) => void notices.push(notice),
  }
  const resolved = resolveReconcileOptions({ rowsPerSecond: 1_000_000, ...options })
  return { reconciler: new Reconciler(context, resolved), context, notices }
}
