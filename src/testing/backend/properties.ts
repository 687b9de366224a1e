import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { WHOLE_RANGE } from '../../backend/buckets.ts'
import { MemoryBackend } from '../../backend/memory/memory-backend.ts'
import type { ReplicaBackend } from '../../backend/replica-backend.ts'
import {
  anyRange,
  ARBITRARY_IDS,
  ARBITRARY_KEYS,
  grouped,
  shuffledOperations,
  someOperations,
} from '../operation-arbitraries.ts'
import { allItems, type ConformanceContext } from './context.ts'

const sizes = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 5 })
const buckets = fc.constantFrom(1, 2, 3, 16)

/** Random operations, compared with the in-memory database. */
export function properties({ open, capabilities }: ConformanceContext): void {
  const parameters = { numRuns: capabilities.propertyRuns }

  /** Opens one for each round: a round must not see another's rows. */
  async function withBackends(
    use: (backend: ReplicaBackend, reference: MemoryBackend) => Promise<void>,
  ): Promise<void> {
    const reference = new MemoryBackend()
    await reference.connect()
    const backend = await open()
    try {
      await use(backend, reference)
    } finally {
      await backend.disconnect()
    }
  }

  describe('properties', () => {
    // Goal: replay, retry, reordering and batching cannot change where a database ends.
    // Method: the reference gets operations one by one; the backend the same ones shuffled, some
    // twice, in groups of random sizes, all at once. Then everything that can be read is compared.
    test('any order, with repeats and in any batches, ends in the same state', async () => {
      await fc.assert(
        fc.asyncProperty(
          shuffledOperations,
          sizes,
          anyRange,
          buckets,
          async (lists, cut, range, n) => {
            await withBackends(async (backend, reference) => {
              const [operations, shuffled] = lists
              for (const operation of operations) await reference.apply([operation])
              await Promise.all(
                grouped(shuffled, cut).map(async (group) => await backend.apply(group)),
              )
              await expectSame(backend, reference)
              expect(await backend.digest(range, n)).toEqual(await reference.digest(range, n))
            })
          },
        ),
        parameters,
      )
    })

    // Goal: every engine judges as `core/decide.ts` does.
    test('groups that are judged get the answers of the in-memory database', async () => {
      const groups = fc.array(
        fc.record({ operations: someOperations(4, 1), unique: fc.boolean() }),
        { minLength: 1, maxLength: 15 },
      )
      await fc.assert(
        fc.asyncProperty(groups, async (calls) => {
          await withBackends(async (backend, reference) => {
            for (const { operations, unique } of calls) {
              const options = { decide: true, unique }
              const expected = await reference.apply(operations, options)
              const { applied } = await backend.apply(operations, options)
              expect(applied).toEqual(expected.applied)
            }
            await expectSame(backend, reference)
          })
        }),
        parameters,
      )
    })

    test('the operations of a scan make the same state elsewhere', async () => {
      await fc.assert(
        fc.asyncProperty(someOperations(40, 1), async (operations) => {
          await withBackends(async (backend, reference) => {
            await backend.apply(operations)
            for await (const operation of backend.scan(WHOLE_RANGE)) {
              await reference.apply([operation])
            }
            await expectSame(backend, reference)
          })
        }),
        parameters,
      )
    })
  })
}

/** Everything that the port reads is the same in both. */
export async function expectSame(
  backend: ReplicaBackend,
  reference: ReplicaBackend,
): Promise<void> {
  for (const key of ARBITRARY_KEYS) {
    expect(await readKey(backend, key)).toEqual(await readKey(reference, key))
  }
  for (const prefix of ['', 'a', 'a%']) {
    const query = { prefix, limit: 2 }
    const { identity: _keys, ...keys } = await reference.listKeys(query)
    expect(await backend.listKeys(query)).toMatchObject(keys)
    const { identity: _latest, ...latest } = await reference.listLatest(query)
    expect(await backend.listLatest(query)).toMatchObject(latest)
  }
  expect(await backend.digest(WHOLE_RANGE, 1)).toEqual(await reference.digest(WHOLE_RANGE, 1))
  const [own, other] = [await backend.readState('w'), await reference.readState('w')]
  // Not equal: a removal may drop the greatest stamp, which a database may remember.
  if (other.head !== undefined) expect(own.head! >= other.head).toBe(true)
}

async function readKey(backend: ReplicaBackend, key: string): Promise<unknown> {
  const { identity: _register, ...register } = await backend.readRegister(key)
  const { identity: _count, ...count } = await backend.countItems(key)
  const { items } = await backend.readItemsById(key, ARBITRARY_IDS)
  const newest = await backend.readItems({ key, limit: 3, order: 'newest' })
  return {
    register,
    count,
    visible: await allItems(backend, key, { limit: 4 }),
    all: await allItems(backend, key, { includeRemoved: true }),
    byId: items.toSorted((a, b) => (a.id < b.id ? -1 : 1)),
    newest: [newest.items, newest.done],
  }
}
