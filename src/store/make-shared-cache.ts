import type { Env } from '../core/env.ts'
import type { DatabasePlace } from '../core/places.ts'
import type { StampClock } from '../core/stamp.ts'
import { sleep } from '../core/time.ts'
import type { StorageManager } from '../manager/storage-manager.ts'
import { cacheHintOf } from '../strategy/cache/cache-hint.ts'
import { SharedCache } from '../strategy/cache/shared-cache.ts'
import type { Place } from '../strategy/place.ts'
import type { CacheUse } from '../strategy/read/read-port.ts'
import { HINTS_FRESH_MS } from '../strategy/replica-monitor.ts'

const HINT_TIMEOUT_MS = 2_000

const PASSED_BY =
  'cache-enhanced reads pass a cache in memory by, since other processes may write: give one that all ' +
  'share (redis:// or memcached://), or set read.config.singleProcess where only this process writes'

/** The backup is where a process that cannot reach the cache warns those that can. */
const NOBODY_WARNS =
  'reads pass the shared cache by, since there is no backup through which a process could tell others that ' +
  'it cannot reach the cache; set read.config.singleProcess where only this process writes'

export interface SharedCacheParts {
  readonly env: Env
  /** Has the cache in front of the store. */
  readonly manager: StorageManager
  readonly use: CacheUse
  readonly places: Readonly<Record<DatabasePlace, Place>>
  readonly clock: StampClock
}

/**
 * The cache in front of the primary; none, and a line in the log, when it would be this process's memory
 * although others may write too: it could not know of their clears, so reads pass it by.
 */
export function makeSharedCache(parts: SharedCacheParts): SharedCache | undefined {
  const { env, manager, use, places, clock } = parts
  const why = whyNot(parts)
  if (why !== undefined) {
    env.logger.warn({}, why)
    return undefined
  }
  const { cache } = manager.getHandles()
  return new SharedCache({
    env,
    timeoutMs: use.timeoutMs,
    cache: () => (manager.getInfo().backends.cache.fallback ? undefined : cache),
    localEntries: use.localEntries,
    ttlSeconds: use.ttlSeconds,
    warnReaders: async () => {
      if (use.singleProcess) return
      await places.backup.apply([], {
        hint: cacheHintOf(clock.writerId),
        timeoutMs: HINT_TIMEOUT_MS,
      })
      await sleep(env, HINTS_FRESH_MS)
    },
  })
}

function whyNot({ manager, use, places }: SharedCacheParts): string | undefined {
  if (use.singleProcess) return undefined
  if (manager.getInfo().backends.cache.type === 'in-memory') return PASSED_BY
  return places.backup.isAbsent ? NOBODY_WARNS : undefined
}
