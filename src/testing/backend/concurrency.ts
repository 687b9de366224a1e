import { describe, expect, test } from 'vitest'
import { allItems, judge, values, type ConformanceContext } from './context.ts'
import { append, clear, set, stampAt } from './operations.ts'

const CALLS = 60

/** Calls that run at the same time. */
export function concurrency({ setup }: ConformanceContext): void {
  describe('concurrent calls', () => {
    test('each call gets its own answer and has its own effect', async () => {
      const backend = await setup()
      await backend.apply([set('behind', stampAt(9_000), 1), clear('cleared', stampAt(9_000))])
      const answers = await Promise.all(
        Array.from({ length: CALLS }, async (_, i) => {
          const at = stampAt(i)
          const operation =
            i % 3 === 0
              ? append(`k${i % 5}`, at, i)
              : i % 3 === 1
                ? set('behind', at, i)
                : append('cleared', at, i, `id ${i}`)
          const [answer] = await judge(backend, [operation], { unique: i % 2 === 0 })
          return answer!.outcome
        }),
      )
      expect(answers).toEqual(
        Array.from({ length: CALLS }, (_, i) => (i % 3 === 0 ? 'applied' : 'behind')),
      )
      let stored = 0
      for (let i = 0; i < 5; i++) stored += (await backend.countItems(`k${i}`)).count
      expect(stored).toBe(CALLS / 3)
      expect(await values(backend, 'cleared')).toEqual([])
    })

    test('the same new id saved many times at once is inserted once', async () => {
      const backend = await setup()
      const answers = await Promise.all(
        Array.from({ length: CALLS }, async (_, i) => {
          const operation = append('k', stampAt(i), i % 4 === 0 ? 'other' : 'same', 'id')
          const [answer] = await judge(backend, [operation], { unique: true })
          return [answer!.outcome, i % 4 === 0 ? 'other' : 'same'] as const
        }),
      )
      const inserted = answers.filter(([outcome]) => outcome === 'applied')
      expect(inserted).toHaveLength(1)
      const [stored] = await values(backend, 'k')
      expect(inserted[0]![1]).toBe(stored)
      for (const [outcome, content] of answers) {
        if (outcome === 'applied') continue
        expect(outcome).toBe(content === stored ? 'stands' : 'conflict')
      }
      expect(await allItems(backend, 'k')).toHaveLength(1)
    })

    test('groups that overlap are each applied whole or not at all', async () => {
      const backend = await setup()
      const answers = await Promise.all(
        Array.from({ length: 30 }, async (_, i) => {
          // Neighbours share one id with another content.
          const group = [
            append('k', stampAt(i, 0), `${i} first`, `id ${i}`),
            append('k', stampAt(i, 1), `${i} second`, `id ${i + 1}`),
          ]
          const applied = await judge(backend, group, { unique: true })
          return applied.map(({ outcome }) => outcome)
        }),
      )
      const stored = await values(backend, 'k')
      answers.forEach((outcomes, i) => {
        const whole = outcomes.every((outcome) => outcome === 'applied')
        expect(whole || outcomes.every((outcome) => outcome !== 'applied')).toBe(true)
        for (const part of ['first', 'second']) {
          expect(stored.includes(`${i} ${part}`), `${i} ${part}`).toBe(whole)
        }
      })
      expect(stored.length).toBeGreaterThan(0)
    })

    test('reads that run beside writes see whole groups', async () => {
      const backend = await setup()
      const writes = Array.from({ length: 20 }, async (_, i) => {
        const group = [0, 1, 2].map((n) => append('k', stampAt(i, n), [i, n]))
        await backend.apply(group, { decide: true })
      })
      const reads = Array.from({ length: 20 }, async () => {
        const page = await backend.readItems({ key: 'k', limit: 100, order: 'oldest' })
        expect(page.items.length % 3).toBe(0)
      })
      await Promise.all([...writes, ...reads])
      expect((await backend.countItems('k')).count).toBe(60)
    })

    test('what cannot be stored fails alone', async () => {
      const backend = await setup()
      const strange = 'a\0b'
      const calls = Array.from(
        { length: 12 },
        async (_, i) =>
          await backend.apply([append(i === 5 ? strange : 'k', stampAt(i), i)], { decide: true }),
      )
      const results = await Promise.allSettled(calls)
      const failed = results.flatMap((result, i) => (result.status === 'rejected' ? [i] : []))
      expect([[], [5]]).toContainEqual(failed)
      expect((await backend.countItems('k')).count).toBe(11)
      // Stored as it is, or not at all: never as another key.
      if (failed.length === 0) expect((await backend.countItems(strange)).count).toBe(1)
      expect(await backend.list('a')).toEqual(failed.length === 0 ? [strange] : [])
    })

    test('many large groups at once are all stored', async () => {
      const backend = await setup()
      const value = 'x'.repeat(20_000)
      await Promise.all(
        Array.from({ length: 10 }, async (_, i) => {
          const group = Array.from({ length: 40 }, (__, n) => append('k', stampAt(i, n), value))
          await backend.apply(group, { decide: true })
        }),
      )
      expect((await backend.countItems('k')).count).toBe(400)
    })
  })
}
