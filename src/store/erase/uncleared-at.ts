import { PAGE_ITEMS_MAX } from '../../core/limits.ts'
import type { LatestKey } from '../../backend/replica-backend.ts'
import type { Place } from '../../strategy/place.ts'
import type { ErasureRecord } from './erasure-record.ts'

const TIMEOUT_MS = 5_000

/**
 * Asks the place itself which keys lack the clear. Of a prefix: those whose latest item is older than
 * the erase.
 */
export async function unclearedAt(
  place: Place,
  { scope, target, through }: ErasureRecord,
): Promise<readonly string[]> {
  if (scope === 'key') {
    const { deletedThrough } = await place.call('readRegister', TIMEOUT_MS, (backend, options) =>
      backend.readRegister(target, options),
    )
    return (deletedThrough ?? '') >= through ? [] : [target]
  }
  const uncleared: string[] = []
  let before: LatestKey | undefined
  for (;;) {
    const from = before
    const query = { prefix: target, limit: PAGE_ITEMS_MAX, ...(from && { before: from }) }
    const { keys, done } = await place.call('listLatest', TIMEOUT_MS, (backend, options) =>
      backend.listLatest(query, options),
    )
    before = keys.at(-1)
    for (const { key, latest } of keys) if (latest <= through) uncleared.push(key)
    if (done || before === undefined) return uncleared
  }
}
