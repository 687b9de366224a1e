import type { Env } from '../core/env.ts'
import { DATABASE_PLACES, type DatabasePlace } from '../core/places.ts'
import { StampClock } from '../core/stamp.ts'
import { SimpleHealthManager } from '../health/simple.ts'
import { StorageManager } from '../manager/storage-manager.ts'
import type { StoreContext } from '../strategy/context.ts'
import { Place } from '../strategy/place.ts'
import { ReplicaMonitor } from '../strategy/replica-monitor.ts'
import { KnownIds } from '../strategy/known-ids.ts'
import { SeenTombstones } from '../strategy/seen-tombstones.ts'
import { resolveReconcileOptions } from '../sync/reconcile-options.ts'
import type { ReconcileReport } from '../sync/reconcile-report.ts'
import { Reconciler, type VerifyOptions } from '../sync/reconciler.ts'
import { WALManager } from '../wal/wal-manager.ts'
import { placePartsOf, type PlaceConfig } from './place-config.ts'

const PROBE_TIMEOUT_MS = 10_000

/**
 * Compares two databases without a store: no log is opened, nothing is replayed and no row is
 * written. What is still pending in a log therefore counts as missing.
 */
export async function verifyPlaces(
  env: Env,
  configs: Readonly<Record<DatabasePlace, PlaceConfig>>,
  options: VerifyOptions,
): Promise<ReconcileReport> {
  const manager = (name: DatabasePlace): StorageManager => {
    const place = configs[name]
    return place instanceof StorageManager
      ? place
      : new StorageManager({ database: placePartsOf(name, place).database, name }, env)
  }
  const managers = { primary: manager('primary'), backup: manager('backup') }
  try {
    await Promise.all(DATABASE_PLACES.map((place) => managers[place].connect()))
    const context = bareContext(env, managers)
    return await new Reconciler(context, resolveReconcileOptions(undefined)).verify(options)
  } finally {
    await Promise.all(DATABASE_PLACES.map((place) => managers[place].disconnect()))
  }
}

/** What a store has by default. */
const MAX_CLOCK_DRIFT_MS = 300_000

/** As much of a store as a comparison needs. */
function bareContext(
  env: Env,
  managers: Readonly<Record<DatabasePlace, StorageManager>>,
): StoreContext {
  const health = new SimpleHealthManager(env)
  const log = new WALManager(env, undefined)
  const clock = new StampClock({ now: () => env.now(), writer: env.randomBytes(8) })
  const place = (name: DatabasePlace): Place =>
    new Place(env, name, managers[name].getHandles().database, health)
  const places = { primary: place('primary'), backup: place('backup') }
  const monitor = new ReplicaMonitor({
    env,
    clock,
    log,
    places,
    timeoutMs: PROBE_TIMEOUT_MS,
    maxClockDriftMs: MAX_CLOCK_DRIFT_MS,
    onClockDisagrees: () => {},
    keepsHint: () => false,
    onReplicaChanged: () => {},
  })
  const tombstones = new SeenTombstones()
  const known = new KnownIds(tombstones)
  const notify = (): void => {}
  return { env, clock, log, health, places, monitor, tombstones, known, cache: undefined, notify }
}
