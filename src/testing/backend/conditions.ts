import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MemoryBackend } from '../../backend/memory/memory-backend.ts'
import type { ApplyResult, ReplicaBackend } from '../../backend/replica-backend.ts'
import type { Condition } from '../../core/conditions.ts'
import type { Operation } from '../../core/operation.ts'
import { STAMP_MIN, type Stamp } from '../../core/stamp.ts'
import { ARBITRARY_IDS, ARBITRARY_KEYS, someOperations } from '../operation-arbitraries.ts'
import { expectSame } from './properties.ts'
import { rejects, values, type ConformanceContext } from './context.ts'
import { append, clear, edit, remove, set, stampAt } from './operations.ts'

const T = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map((n) => stampAt(n * 1_000))
const WRITERS = 24

/** Applies a group under conditions. */
async function applyIf(
  backend: ReplicaBackend,
  conditions: readonly Condition[],
  operations: readonly Operation[],
): Promise<ApplyResult> {
  return await backend.apply(operations, { decide: true, conditions })
}

/** `apply` with `conditions`: they are judged where, and when, the group is applied. */
export function conditions({ setup, open, capabilities }: ConformanceContext): void {
  const { conditions: scope, propertyRuns } = capabilities
  if (scope === 'none') return
  const isWide = scope === 'keys'

  describe('conditions', () => {
    test('it says that it judges them', async () => {
      expect((await setup()).judgesConditions?.()).toBe(true)
    })

    test('of a value: absent, or set with this stamp', async () => {
      const backend = await setup()
      const first = await applyIf(backend, [{ key: 'k', absent: true }], [set('k', T[1]!, 1)])
      expect(first.failed).toBeUndefined()
      expect(first.applied).toEqual([{ outcome: 'applied' }])
      expect(
        await applyIf(backend, [{ key: 'k', absent: true }], [set('k', T[2]!, 2)]),
      ).toMatchObject({
        failed: { index: 0, stands: T[1] },
        applied: [{ outcome: 'withheld' }],
      })
      const wrong = await applyIf(backend, [{ key: 'k', stamp: T[0]! }], [set('k', T[3]!, 3)])
      expect(wrong.failed).toEqual({ index: 0, stands: T[1] })
      const right = await applyIf(backend, [{ key: 'k', stamp: T[1]! }], [set('k', T[4]!, 4)])
      expect(right.failed).toBeUndefined()
      expect((await backend.readRegister('k')).register?.stamp).toBe(T[4])
    })

    test('a value that was deleted is absent, and a list is no value', async () => {
      const backend = await setup()
      await backend.apply([set('k', T[1]!, 1), append('k', T[3]!, 'item')])
      await backend.apply([clear('k', T[2]!)])
      const gone = await applyIf(backend, [{ key: 'k', stamp: T[1]! }], [set('k', T[4]!, 4)])
      expect(gone).toMatchObject({
        failed: { index: 0 },
        applied: [{ outcome: 'withheld', deletedThrough: T[2] }],
      })
      expect(gone.failed?.stands).toBeUndefined()
      const absent = await applyIf(backend, [{ key: 'k', absent: true }], [set('k', T[5]!, 5)])
      expect(absent.failed).toBeUndefined()
    })

    test('of an item: absent, or with the stamp of its latest change', async () => {
      const backend = await setup()
      const put = append('k', T[1]!, 'a', 'id')
      const absent: Condition = { key: 'k', id: 'id', absent: true }
      expect((await applyIf(backend, [absent], [put])).failed).toBeUndefined()
      const other = append('k', T[2]!, 'b', 'other')
      expect((await applyIf(backend, [absent], [other])).failed).toEqual({ index: 0, stands: T[1] })
      const first: Condition = { key: 'k', id: 'id', stamp: T[1]! }
      const change = edit('k', 'id', T[1]!, T[3]!, 'b')
      expect((await applyIf(backend, [first], [change])).failed).toBeUndefined()
      const late = edit('k', 'id', T[1]!, T[4]!, 'c')
      expect((await applyIf(backend, [first], [late])).failed).toEqual({ index: 0, stands: T[3] })
      expect(await values(backend, 'k')).toEqual(['b'])
    })

    test('an item that was removed is absent', async () => {
      const backend = await setup()
      await backend.apply([append('k', T[1]!, 'a', 'id'), remove('k', 'id', T[1]!, T[2]!)])
      const stands: Condition = { key: 'k', id: 'id', stamp: T[1]! }
      expect((await applyIf(backend, [stands], [set('k', T[3]!, 1)])).failed).toEqual({ index: 0 })
      const absent: Condition = { key: 'k', id: 'id', absent: true }
      expect((await applyIf(backend, [absent], [set('k', T[3]!, 1)])).failed).toBeUndefined()
    })

    test('an item that was removed is absent, and its id is not free', async () => {
      const backend = await setup()
      await backend.apply([append('k', T[1]!, 'a', 'id'), append('k', T[2]!, 'b', 'own')])
      await backend.apply([remove('k', 'id', T[1]!, T[3]!)])
      const options = {
        decide: true,
        unique: true,
        conditions: [{ key: 'k', id: 'id', absent: true }],
      } as const
      const again = [append('k', T[4]!, 'c', 'id'), append('k', T[5]!, 'd', 'other')]
      expect(await backend.apply(again, options)).toMatchObject({
        applied: [
          { outcome: 'conflict', item: { id: 'id', removedOf: T[1] } },
          { outcome: 'withheld' },
        ],
      })
      const free = [append('k', T[6]!, 'e', 'other')]
      expect(await backend.apply(free, options)).toMatchObject({
        applied: [{ outcome: 'applied' }],
      })
      expect(await values(backend, 'k')).toEqual(['b', 'e'])
    })

    test('of the latest item: its position, null when the list shows none', async () => {
      const backend = await setup()
      const none: Condition = { key: 'k', last: null }
      expect((await applyIf(backend, [none], [append('k', T[1]!, 'a')])).failed).toBeUndefined()
      const second = append('k', T[2]!, 'b')
      expect((await applyIf(backend, [none], [second])).failed).toEqual({ index: 0, stands: T[1] })
      const last: Condition = { key: 'k', last: T[1]! }
      expect((await applyIf(backend, [last], [second])).failed).toBeUndefined()
      expect((await applyIf(backend, [last], [append('k', T[3]!, 'c')])).failed).toEqual({
        index: 0,
        stands: T[2],
      })
      await backend.apply([remove('k', T[2]!, T[2]!, T[4]!)])
      expect((await applyIf(backend, [last], [append('k', T[5]!, 'd')])).failed).toBeUndefined()
      await backend.apply([clear('k', T[6]!)])
      expect((await applyIf(backend, [none], [append('k', T[7]!, 'e')])).failed).toBeUndefined()
      expect(await values(backend, 'k')).toEqual(['e'])
    })

    test('the first one that does not hold is named, and nothing of the group is there', async () => {
      const backend = await setup()
      await backend.apply([set('k', T[1]!, 1)])
      const result = await applyIf(
        backend,
        [
          { key: 'k', stamp: T[1]! },
          { key: 'k', id: 'id', stamp: T[1]! },
          { key: 'k', last: T[1]! },
        ],
        [set('k', T[2]!, 2), append('k', T[3]!, 'a')],
      )
      expect(result).toMatchObject({
        failed: { index: 1 },
        applied: [{ outcome: 'withheld' }, { outcome: 'withheld' }],
      })
      expect((await backend.readRegister('k')).register?.stamp).toBe(T[1])
      expect(await values(backend, 'k')).toEqual([])
    })

    test('a group that stands already is not judged again', async () => {
      const backend = await setup()
      const guard: Condition[] = [
        { key: 'k', absent: true },
        { key: 'k', last: null },
      ]
      const group = [set('k', T[1]!, 1), append('k', T[2]!, 'a')]
      for (let i = 0; i < 3; i++) {
        const { failed, applied } = await applyIf(backend, guard, group)
        expect(failed).toBeUndefined()
        expect(applied.map(({ outcome }) => outcome)).toEqual(['applied', 'applied'])
      }
      expect(await values(backend, 'k')).toEqual(['a'])
    })

    test('conditions alone are judged and change nothing', async () => {
      const backend = await setup()
      await backend.apply([set('k', T[1]!, 1)])
      expect((await applyIf(backend, [{ key: 'k', stamp: T[1]! }], [])).failed).toBeUndefined()
      expect((await applyIf(backend, [{ key: 'k', absent: true }], [])).failed).toEqual({
        index: 0,
        stands: T[1],
      })
      expect(await backend.listKeys({ prefix: '', limit: 10 })).toMatchObject({ keys: ['k'] })
    })

    test('an operation that is refused withholds a group whose conditions hold', async () => {
      const backend = await setup()
      await backend.apply([set('k', T[5]!, 1)])
      const result = await applyIf(
        backend,
        [{ key: 'k', stamp: T[5]! }],
        [append('k', T[6]!, 'a'), set('k', T[2]!, 2)],
      )
      expect(result.failed).toBeUndefined()
      expect(result.applied.map(({ outcome }) => outcome)).toEqual(['withheld', 'behind'])
      expect(await values(backend, 'k')).toEqual([])
    })

    test('of writers at the same moment one finds the condition to hold', async () => {
      const backend = await setup()
      await backend.apply([set('k', T[1]!, 1), append('k', T[1]!, 'first')])
      const kinds: readonly ((i: number) => [Condition, Operation])[] = [
        (i) => [{ key: 'k', stamp: T[1]! }, set('k', stampAt(10_000 + i), i)],
        (i) => [{ key: 'k', last: T[1]! }, append('k', stampAt(20_000 + i), i)],
        (i) => [{ key: 'k', id: 'id', absent: true }, append('k', stampAt(30_000 + i), i, 'id')],
      ]
      for (const kind of kinds) {
        const results = await Promise.all(
          Array.from({ length: WRITERS }, async (_, i) => {
            const [condition, operation] = kind(i)
            return await applyIf(backend, [condition], [operation])
          }),
        )
        expect(results.filter(({ failed }) => failed === undefined)).toHaveLength(1)
      }
    })

    test('an id that is to be absent and is saved plainly at the same moment is there once', async () => {
      const backend = await setup()
      for (let round = 0; round < 4; round++) {
        const id = `id ${round}`
        const results = await Promise.all(
          Array.from({ length: WRITERS }, async (_, i) => {
            const put = append('k', stampAt(40_000 + 100 * round + i), i, id)
            const { applied, failed } =
              i % 2 === 0
                ? await applyIf(backend, [{ key: 'k', id, absent: true }], [put])
                : await backend.apply([put], { decide: true, unique: true })
            return failed === undefined && applied[0]!.outcome === 'applied'
          }),
        )
        expect(results.filter(Boolean)).toHaveLength(1)
      }
    })

    test.runIf(isWide)('over several keys: whole or not at all, whoever else writes', async () => {
      const backend = await setup()
      const keys = ['a', 'b', 'c', 'd']
      await backend.apply(keys.map((key) => set(key, T[1]!, 0)))
      const results = await Promise.all(
        Array.from({ length: WRITERS }, async (_, i) => {
          const [one, other] = [keys[i % 4]!, keys[(i + 1) % 4]!]
          return await applyIf(
            backend,
            [
              { key: one, stamp: T[1]! },
              { key: other, stamp: T[1]! },
              { key: 'elsewhere', absent: true },
            ],
            [set(one, stampAt(10_000 + i), i), set(other, stampAt(10_000 + i, 1), i)],
          )
        }),
      )
      const won = results.flatMap(({ failed }, i) => (failed === undefined ? [i] : []))
      const stamps = await Promise.all(
        keys.map(async (key) => (await backend.readRegister(key)).register!.stamp),
      )
      // Of neighbours one, so that one or two of four can win.
      expect([1, 2]).toContain(won.length)
      for (const i of won) {
        expect(stamps[i % 4]).toBe(stampAt(10_000 + i))
        expect(stamps[(i + 1) % 4]).toBe(stampAt(10_000 + i, 1))
      }
      expect(stamps.filter((stamp) => stamp !== T[1])).toHaveLength(2 * won.length)
    })

    test.runIf(isWide)(
      'a repeat stands, wherever the condition is that holds no more',
      async () => {
        const backend = await setup()
        // Several keys: where they are spread, some of them are elsewhere than the condition.
        for (const [i, key] of ['a', 'b', 'c', 'd', 'e', 'f'].entries()) {
          const group = [set(key, stampAt(100 + i), i)]
          const condition = [{ key: 'elsewhere', absent: true }] as const
          if (i === 0) await applyIf(backend, condition, group)
          else await backend.apply(group)
          await backend.apply([set('elsewhere', stampAt(200 + i), i)])
          expect(await applyIf(backend, condition, group)).not.toHaveProperty('failed')
        }
        const other = [set('a', stampAt(300), 'other')]
        const refused = await applyIf(backend, [{ key: 'elsewhere', absent: true }], other)
        expect(refused.failed).toMatchObject({ index: 0 })
      },
    )

    test.runIf(!isWide)('over several keys they are refused', async () => {
      const backend = await setup()
      const group = [set('k', T[1]!, 1)]
      await rejects(applyIf(backend, [{ key: 'other', absent: true }], group), 'UNSUPPORTED')
      expect((await backend.readRegister('k')).register).toBeUndefined()
    })

    // Goal: every engine judges as `core/conditions.ts` does.
    // Method: random groups, conditions that hold or nearly do, compared with the in-memory database.
    test('random groups get the answers of the in-memory database', async () => {
      const pick = fc.record({ where: fc.nat(99), what: fc.nat(99), isRight: fc.boolean() })
      const call = fc.record({
        operations: someOperations(3, 1),
        picks: fc.array(pick, { maxLength: 3 }),
      })
      await fc.assert(
        fc.asyncProperty(fc.array(call, { minLength: 1, maxLength: 20 }), async (calls) => {
          const reference = new MemoryBackend()
          await reference.connect()
          const backend = await open()
          try {
            for (const { operations: all, picks } of calls) {
              const key = all[0]!.key
              const operations = isWide ? all : all.filter((each) => each.key === key)
              const wanted: Condition[] = []
              for (const each of picks)
                wanted.push(await conditionOf(reference, each, isWide ? undefined : key))
              const options = { decide: true, conditions: wanted }
              const { applied, failed } = await reference.apply(operations, options)
              const answer = await backend.apply(operations, options)
              expect(answer.failed).toEqual(failed)
              expect(answer.applied).toEqual(applied)
            }
            await expectSame(backend, reference)
          } finally {
            await backend.disconnect()
          }
        }),
        { numRuns: propertyRuns },
      )
    })
  })
}

/** A condition about what stands in the reference, or about something that stands elsewhere. */
async function conditionOf(
  reference: ReplicaBackend,
  { where, what, isRight }: { where: number; what: number; isRight: boolean },
  only: string | undefined,
): Promise<Condition> {
  const key = only ?? ARBITRARY_KEYS[where % ARBITRARY_KEYS.length]!
  const otherwise = stampAt(where * 17_000) as Stamp
  if (what % 3 === 0) {
    const stamp = (await reference.readRegister(key)).register?.stamp
    if (!isRight) return what % 2 === 0 ? { key, absent: true } : { key, stamp: otherwise }
    return stamp === undefined ? { key, absent: true } : { key, stamp }
  }
  if (what % 3 === 1) {
    const page = await reference.readItems({ key, limit: 1, order: 'newest' })
    const last = page.items[0]?.position ?? null
    return { key, last: isRight ? last : what % 2 === 0 ? otherwise : null }
  }
  const id = ARBITRARY_IDS[what % ARBITRARY_IDS.length]!
  const { items } = await reference.readItemsById(key, [id])
  const [item] = items
  const isThere = item !== undefined && item.removedOf === undefined
  if (!isRight) return what % 2 === 0 ? { key, id, absent: true } : { key, id, stamp: otherwise }
  if (!isThere) return { key, id, absent: true }
  const { position, editedAt = STAMP_MIN } = item
  return { key, id, stamp: position > editedAt ? position : editedAt }
}
