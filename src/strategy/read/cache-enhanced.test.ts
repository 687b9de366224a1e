import { expect, test } from 'vitest'
import { StampClock, type Stamp } from '../../core/stamp.ts'
import { append, stampAt } from '../../testing/backend/operations.ts'
import type { Operation } from '../../core/operation.ts'
import type { Gone } from './read-port.ts'
import type { StoreContext } from '../context.ts'
import { SeenTombstones } from '../seen-tombstones.ts'
import { CacheEnhancedReadStrategy } from './cache-enhanced.ts'

/** The newest items of a key of which nothing is cached but what is gone. */
async function read(gone: Gone, pending: readonly Operation[]): Promise<readonly string[]> {
  const context = {
    log: { pending: async () => pending, isUnknown: () => false },
    cache: { get: async () => ({ hit: true, data: { items: [], done: true, gone } }) },
    monitor: { isPrimaryCurrent: () => true, isTrusted: () => true, hintsAgeMs: () => 0 },
    places: { backup: { isAbsent: false } },
    tombstones: new SeenTombstones(),
    clock: new StampClock({ now: () => 0, writer: new Uint8Array(8) }),
  } as unknown as StoreContext
  const query = { key: 'k', limit: 10, order: 'newest' } as const
  const { items } = await new CacheEnhancedReadStrategy({ maxHintAge: 1_000 }).readItems(
    context,
    query,
  )
  return items.map(({ id }) => id)
}

const LATER: Stamp = stampAt(5)

// Found by the simulation: an append that the primary lacks was laid over a page from the cache, though
// the primary had its removal, or a clear, from whoever had read it elsewhere.
test('what is pending for the primary does not bring back what is gone there', async () => {
  const pending = [append('k', stampAt(1), 'one'), append('k', LATER, 'two')]
  const [one, two] = [stampAt(1), LATER] as const
  expect(await read({ removed: [], deletedThrough: undefined }, pending)).toEqual([two, one])
  const removed = [{ id: one, position: one, removedOf: one }]
  expect(await read({ removed, deletedThrough: undefined }, pending)).toEqual([two])
  expect(await read({ removed: [], deletedThrough: one }, pending)).toEqual([two])
})
