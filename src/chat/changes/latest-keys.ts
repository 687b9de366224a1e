import type { LatestKey } from '../../backend/replica-backend.ts'
import { stampFloor, stampMs, type Stamp } from '../../core/stamp.ts'
import type { StrategicStorageManager } from '../../store/strategic-storage-manager.ts'

/** Conversations of the first page, and of those behind it. */
const FIRST_PAGE = 20
const PAGE = 200
/** Pages of one look; who follows a tenant goes on behind them in the next one. */
const PAGES_MAX = 50

/** Conversations whose latest message stands behind a position, latest first; always a first page. */
export async function latestSince(
  store: StrategicStorageManager,
  prefix: string,
  floor: Stamp | undefined,
): Promise<readonly LatestKey[]> {
  const found: LatestKey[] = []
  for (let page = 0; page < PAGES_MAX; page++) {
    const before = found.at(-1)
    const limit = page === 0 ? FIRST_PAGE : PAGE
    const { keys, done } = await store.listLatest({ prefix, limit, ...(before && { before }) })
    found.push(...keys)
    const last = keys.at(-1)
    if (done || last === undefined || floor === undefined || last.latest <= floor) break
  }
  return found
}

/** The first stamp of a time: as a bound of a page it is good for `getHistory`, too. */
export function firstStampOf(ms: number): Stamp {
  const [high, low] = stampFloor(Math.max(0, ms)).split('-')
  return `${high}-${low}-7000-8000-000000000000` as Stamp
}

/** So long before a stamp. */
export function earlier(stamp: Stamp, byMs: number): Stamp {
  return firstStampOf(stampMs(stamp) - byMs)
}
