import { describe, expect, test } from 'vitest'
import { WHOLE_RANGE } from '../../backend/buckets.ts'
import type { ReplicaBackend } from '../../backend/replica-backend.ts'
import type { StampRange } from '../../core/digest.ts'
import { MemoryBackend } from '../../backend/memory/memory-backend.ts'
import type { Operation } from '../../core/operation.ts'
import { STAMP_MIN } from '../../core/stamp.ts'
import { allItems, collect, type ConformanceContext } from './context.ts'
import { append, clear, edit, remove, set, stampAt } from './operations.ts'

/** One of everything, over ten minutes. */
const MIXED: readonly Operation[] = [
  ...Array.from({ length: 40 }, (_, i) => append(`k${i % 3}`, stampAt(i * 15_000), i)),
  append('k0', stampAt(30_001), 'moved', stampAt(7)),
  append('k1', stampAt(70_001), 'caller', 'caller'),
  edit('k1', 'caller', stampAt(70_001), stampAt(400_000), 'edited'),
  append('k1', stampAt(60_001), 'earlier', 'caller'),
  append('k1', stampAt(50_002), 'only here', 'two places'),
  edit('k1', 'two places', stampAt(120_002), stampAt(400_001), 'seen elsewhere'),
  remove('k2', stampAt(2 * 15_000), stampAt(2 * 15_000), stampAt(500_000)),
  remove('k2', 'unseen', stampAt(90_001), stampAt(500_001)),
  set('k0', stampAt(200_000), 'register'),
  set('only register', stampAt(610_000), 'register'),
  clear('k0', stampAt(100_000)),
  clear('only clear', stampAt(333_000)),
  append('k0', stampAt(95_000), 'gone'),
  append('k3', stampAt(10_000), 'a', 'id'),
  remove('k3', 'id', stampAt(10_000), stampAt(20_000)),
  clear('k3', stampAt(30_000)),
  // Removals and edits of other positions than that of the item, out of sight or not.
  append('k4', stampAt(130_000), 'hidden', 'hidden'),
  edit('k4', 'hidden', stampAt(110_000), stampAt(410_000), 'hidden too'),
  remove('k4', 'hidden', stampAt(20_000), stampAt(21_000)),
  edit('k4', 'again', stampAt(65_000), stampAt(420_000), 'edited'),
  append('k4', stampAt(350_000), 'again', 'again'),
]

const RANGES: readonly StampRange[] = [
  WHOLE_RANGE,
  { from: STAMP_MIN, to: stampAt(100_000) },
  { from: stampAt(100_000), to: stampAt(400_000) },
  { from: stampAt(60_001), to: stampAt(70_001) },
  { from: stampAt(300_000), to: WHOLE_RANGE.to },
  { from: stampAt(5_000_000), to: stampAt(6_000_000) },
]

/** `digest` and `scan`. */
export function digests({ setup }: ConformanceContext): void {
  describe('digests and scans', () => {
    test('equal states have equal digests, in whatever order they came about', async () => {
      const [one, two] = [await setup(), await setup()]
      await one.apply(MIXED)
      for (const operation of MIXED.toReversed()) await two.apply([operation])
      for (const range of RANGES) {
        for (const buckets of [1, 2, 16]) {
          expect(await two.digest(range, buckets)).toEqual(await one.digest(range, buckets))
        }
      }
    })

    test('digests are those of the in-memory database', async () => {
      const backend = await setup()
      const reference = new MemoryBackend()
      await reference.connect()
      for (const target of [backend, reference]) await target.apply(MIXED)
      for (const range of RANGES) {
        for (const buckets of [1, 3, 64, 256]) {
          const expected = await reference.digest(range, buckets)
          expect(await backend.digest(range, buckets)).toEqual(expected)
        }
      }
    })

    test('a different stamp or tombstone gives a different digest, and a value does not', async () => {
      const digest = async (operations: readonly Operation[]): Promise<unknown> => {
        const backend = await setup()
        await backend.apply(operations)
        const [whole] = await backend.digest(WHOLE_RANGE, 1)
        return `${whole!.count} ${whole!.low} ${whole!.high}`
      }
      const base = append('k', stampAt(1), 'a', 'id')
      const states = [
        [],
        [base],
        [append('k', stampAt(2), 'a', 'id')],
        [append('j', stampAt(1), 'a', 'id')],
        [append('k', stampAt(1), 'a', 'di')],
        [base, edit('k', 'id', stampAt(1), stampAt(2), 'b')],
        [base, edit('k', 'id', stampAt(1), stampAt(3), 'b')],
        [base, edit('k', 'id', stampAt(2), stampAt(3), 'b')],
        [base, remove('k', 'id', stampAt(1), stampAt(2))],
        [base, remove('k', 'id', stampAt(2), stampAt(3))],
        [base, clear('k', stampAt(2))],
        [base, set('k', stampAt(2), 'a')],
      ]
      const digestsOfStates = await Promise.all(states.map(digest))
      expect(new Set(digestsOfStates).size).toBe(states.length)
      // What is compared tells nothing of what was said.
      expect(await digest([append('k', stampAt(1), 'b', 'id')])).toBe(await digest([base]))
    })

    test('buckets cover the range without gaps and add up to it', async () => {
      const backend = await setup()
      await backend.apply(MIXED)
      for (const range of RANGES) {
        const [whole] = await backend.digest(range, 1)
        for (const count of [2, 7, 100]) {
          const buckets = await backend.digest(range, count)
          expect(buckets.length).toBeLessThanOrEqual(count)
          expect(buckets[0]!.from).toBe(range.from)
          expect(buckets.at(-1)!.to).toBe(range.to)
          buckets.slice(1).forEach(({ from }, i) => expect(from).toBe(buckets[i]!.to))
          for (const field of ['count', 'low', 'high'] as const) {
            const sum = buckets.reduce((total, bucket) => total + bucket[field], 0)
            expect(sum).toBe(whole![field])
          }
        }
      }
    })

    test("a scan's operations make the same state in an empty database", async () => {
      const [source, target] = [await setup(), await setup()]
      await source.apply(MIXED)
      await target.apply(await scanned(source, WHOLE_RANGE))
      expect(await target.digest(WHOLE_RANGE, 16)).toEqual(await source.digest(WHOLE_RANGE, 16))
      const { keys } = await source.listKeys({ prefix: '', limit: 100 })
      expect((await target.listKeys({ prefix: '', limit: 100 })).keys).toEqual(keys)
      for (const key of ['k0', 'k1', 'k2', 'k3', 'k4', 'only register', 'only clear']) {
        const options = { includeRemoved: true }
        expect(await allItems(target, key, options)).toEqual(await allItems(source, key, options))
        const { identity: _own, ...read } = await target.readRegister(key)
        expect(await source.readRegister(key)).toMatchObject(read)
      }
    })

    test('a scan of a range gives exactly what its digest counts', async () => {
      const backend = await setup()
      await backend.apply(MIXED)
      for (const range of RANGES) {
        const [digest] = await backend.digest(range, 1)
        expect(await scanned(backend, range)).toHaveLength(digest!.count)
      }
    })

    test('a scan of a long list gives each operation once', async () => {
      const backend = await setup()
      const operations: Operation[] = []
      for (let i = 0; i < 1_000; i++) {
        operations.push(append('k', stampAt(i), i, i % 3 === 0 ? `id ${i}` : undefined))
      }
      // The latest first: rows are not stored in the order of their positions.
      await backend.apply(operations.toReversed())
      const read = await scanned(backend, WHOLE_RANGE)
      expect(read).toHaveLength(1_000)
      expect(read.map(sortKey).sort()).toEqual(operations.map(sortKey).sort())
      const range = { from: stampAt(100), to: stampAt(900) }
      expect(await scanned(backend, range)).toHaveLength(800)
    })

    test('a scan that is left early ends', async () => {
      const backend = await setup()
      await backend.apply(MIXED)
      for await (const operation of backend.scan(WHOLE_RANGE)) {
        expect(operation.key).toMatch(/./)
        break
      }
      expect((await backend.apply([])).applied).toEqual([])
    })
  })
}

async function scanned(backend: ReplicaBackend, range: StampRange): Promise<Operation[]> {
  return await collect(backend.scan(range))
}

function sortKey(operation: Operation): string {
  const fields = Object.entries(operation).map(([name, value]) => `${name}=${value}`)
  return fields.sort().join()
}
