import { PAGE_ITEMS_MAX } from '../../core/limits.ts'
import type { LatestKey } from '../../backend/replica-backend.ts'
import type { Stamp } from '../../core/stamp.ts'
import type { Place } from '../../strategy/place.ts'
import { targetsOf, type ErasureRecord } from './erasure-record.ts'

const TIMEOUT_MS = 5_000

/**
 * Asks the place itself which keys lack the clear. Of a prefix: those whose latest item is older than
 * the erase.
 */
export async function unclearedAt(place: Place, record: ErasureRecord): Promise<readonly string[]> {
  const uncleared: string[] = []
  const { scope, through } = record
  const find = scope === 'key' ? unclearedKey : unclearedOfPrefix
  for (const target of targetsOf(record)) uncleared.push(...(await find(place, target, through)))
  return uncleared
}

async function unclearedKey(place: Place, key: string, through: Stamp): Promise<readonly string[]> {
  const { deletedThrough } = await place.call('readRegister', TIMEOUT_MS, (backend, options) =>
    backend.readRegister(key, options),
  )
  return (deletedThrough ?? '') >= through ? [] : [key]
}

async function unclearedOfPrefix(
  place: Place,
  prefix: string,
  through: Stamp,
): Promise<readonly string[]> {
  const uncleared: string[] = []
  let before: LatestKey | undefined
  for (;;) {
    const from = before
    const query = { prefix, limit: PAGE_ITEMS_MAX, ...(from && { before: from }) }
    const { keys, done } = await place.call('listLatest', TIMEOUT_MS, (backend, options) =>
      backend.listLatest(query, options),
    )
    before = keys.at(-1)
    for (const { key, latest } of keys) if (latest <= through) uncleared.push(key)
    if (done || before === undefined) return uncleared
  }
}
