import type { SearchState } from '../backend/replica-backend.ts'
import { messageOf } from '../core/errors.ts'
import { withoutPlace, type DatabasePlace } from '../core/places.ts'
import type { HealthStats, LatencyStats } from '../health/health-manager.ts'
import type { StorageManager } from '../manager/storage-manager.ts'
import type { CacheStats } from '../strategy/cache/shared-cache.ts'
import type { ClocksStatus } from '../strategy/clocks.ts'
import type { StoreContext } from '../strategy/context.ts'
import type { WalManagerStats } from '../wal/wal-manager-stats.ts'
import type { ReconcileReport } from '../sync/reconcile-report.ts'
import type { PlaceManagers } from './config.ts'

export interface PlaceStatus {
  readonly type: string
  readonly connected: boolean
  readonly healthy: boolean
  readonly circuit: 'closed' | 'open' | 'half-open'
  readonly latency: LatencyStats
  readonly durable: boolean
  readonly reasons: readonly string[]
  /** Memory stands in for the database, as `allowInMemoryFallback` asked. */
  readonly fallback: boolean
  /** Entries that this process knows the place to lack. */
  readonly pending: number
  /** Age of the oldest of them. Milliseconds. */
  readonly lagMs: number
  /** Entries that the place refuses for good. */
  readonly quarantined: number
  /** Damaged rows that reads of this process met since its start, repaired or not. */
  readonly damaged: number
  /** Whether it can be searched, or how far its index is built. */
  readonly search: SearchState
  readonly lastError?: string
}

export interface WalStatus {
  readonly type: string
  readonly state: 'open' | 'failed' | 'closed' | 'none'
  readonly durable: boolean
  readonly reasons: readonly string[]
  readonly entries: number
  readonly bytes: number
  readonly bytesMax: number
  /** Acknowledged groups that the log could not take: memory alone holds them for a place. */
  readonly owedGroups: number
  readonly owedBytes: number
  /** Why it could not be opened, or what it last said of itself while it takes no appends; without passwords. */
  readonly lastError?: string
}

const NOT_KNOWN: SearchState = { state: 'none', reason: 'not connected yet' }
const NOT_OPENED = {
  state: 'failed',
  durable: false,
  reasons: ['not opened yet: it is tried again'],
} as const

export interface StoreStatus {
  /** The part of every stamp that is this process's own. */
  readonly writer: string
  /** `ok`: all places work: three, or two without a backup. `degraded`: saves are acknowledged with less. `down`: none works. */
  readonly overall: 'ok' | 'degraded' | 'down'
  readonly places: Readonly<Record<DatabasePlace, PlaceStatus>>
  readonly wal: WalStatus
  readonly strategies: { readonly read: string; readonly write: string }
  /** Absent when the read strategy uses no cache. */
  readonly cache?: CacheStats
  readonly clocks: ClocksStatus
  /** Other writers that left something in the backup that the primary may lack. */
  readonly foreignHints: number
  /** False until primary and backup are known to hold the same, in a first or a repeated pass. */
  readonly trusted: boolean
  readonly lastReconcile?: ReconcileReport
  /** Erases that wait for a place. */
  readonly erasing: number
}

/** What `getHealthStatus` tells. */
export interface StoreHealth {
  /** True from `connect` to `disconnect`. */
  readonly connected: boolean
  readonly backends: Readonly<Record<DatabasePlace, HealthStats>>
  readonly walStats: WalManagerStats
}

export interface StatusParts {
  readonly context: StoreContext
  readonly managers: PlaceManagers
  readonly strategies: StoreStatus['strategies']
  readonly lastReconcile: ReconcileReport | undefined
  readonly erasing: number
  readonly damaged: Readonly<Record<DatabasePlace, number>>
  readonly logError: string | undefined
}

/** What an operator wants to know in one look; costs no round trip. */
export function statusOf({
  context,
  managers,
  strategies,
  lastReconcile,
  erasing,
  damaged,
  logError,
}: StatusParts): StoreStatus {
  const status = (place: DatabasePlace): PlaceStatus => ({
    ...placeStatus(context, managers[place], place),
    damaged: damaged[place],
  })
  const [primary, backup] = [status('primary'), status('backup')]
  const wal = walStatus(context, logError)
  const works = [
    primary.connected && primary.healthy,
    ...(context.places.backup.isAbsent ? [] : [backup.connected && backup.healthy]),
    wal.state === 'open',
  ]
  const count = works.filter(Boolean).length
  const clocks = context.monitor.clocks.status()
  const troubled = primary.quarantined + backup.quarantined + wal.owedGroups > 0 || !clocks.agree
  return {
    writer: context.clock.writerId,
    overall: count === 0 ? 'down' : count < works.length || troubled ? 'degraded' : 'ok',
    places: { primary, backup },
    wal,
    strategies,
    ...(context.cache !== undefined && { cache: context.cache.stats() }),
    clocks,
    foreignHints: context.monitor.foreignHints().length,
    trusted: context.monitor.isTrusted(),
    ...(lastReconcile !== undefined && { lastReconcile }),
    erasing,
  }
}

function placeStatus(
  context: StoreContext,
  manager: StorageManager,
  place: DatabasePlace,
): Omit<PlaceStatus, 'damaged'> {
  const { database } = manager.getInfo().backends
  const { isAbsent } = context.places[place]
  const health = context.health.getHealthStats(place)
  const { log, lastErrors } = context.log.getStats()
  const pending = log?.places[place]
  const flushError = lastErrors[place] === undefined ? undefined : messageOf(lastErrors[place])
  const lastError = database.lastError ?? health.lastFailure?.message ?? flushError
  return {
    type: database.type,
    connected: database.connected,
    healthy: health.healthy && !isAbsent,
    circuit: health.circuit,
    latency: health.latency,
    durable: database.durability?.durable ?? false,
    reasons: isAbsent
      ? ['the configuration has no backup']
      : (database.durability?.reasons ?? ['not connected yet']),
    fallback: database.fallback,
    pending: pending?.pendingEntries ?? 0,
    lagMs: pending?.oldestPendingMs ?? 0,
    quarantined: pending?.quarantinedEntries ?? 0,
    search: context.places[place].getSearch() ?? NOT_KNOWN,
    ...(lastError !== undefined && { lastError: withoutPlace(place, lastError) }),
  }
}

function walStatus(context: StoreContext, error: string | undefined): WalStatus {
  const { log, owedGroups, owedBytes } = context.log.getStats()
  // Never opened, it has nothing to say of itself.
  const own = error === undefined ? log : log && { ...log, ...NOT_OPENED }
  const lastError = error ?? (log?.state === 'failed' ? log.lastError : undefined)
  return {
    type: log?.type ?? 'none',
    state: own?.state ?? 'none',
    durable: own?.durable ?? false,
    reasons: own?.reasons ?? ['no log is configured'],
    ...(lastError !== undefined && { lastError: withoutPlace('wal', lastError) }),
    entries: log?.entries ?? 0,
    bytes: log?.bytes ?? 0,
    bytesMax: log?.pendingBytesMax ?? 0,
    owedGroups,
    owedBytes,
  }
}
