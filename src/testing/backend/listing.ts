import { describe, expect, test } from 'vitest'
import type { LatestKey, ReplicaBackend } from '../../backend/replica-backend.ts'
import type { Operation } from '../../core/operation.ts'
import type { ConformanceContext } from './context.ts'
import { append, clear, edit, remove, set, stampAt } from './operations.ts'

/** `listKeys` and `listLatest`. */
export function listing({ setup }: ConformanceContext): void {
  describe('listing keys', () => {
    test('listKeys shows keys with a register or a visible item', async () => {
      const backend = await setup()
      await backend.apply([
        set('register', stampAt(1), 1),
        append('item', stampAt(1), 1),
        clear('cleared', stampAt(1)),
        append('removed', stampAt(1), 1, 'id'),
        remove('removed', 'id', stampAt(1), stampAt(2)),
        edit('edited', 'id', stampAt(1), stampAt(2), 1),
      ])
      const page = await backend.listKeys({ prefix: '', limit: 10 })
      expect(page.keys).toEqual(['edited', 'item', 'register'])
      expect(page.done).toBe(true)
    })

    test('listKeys pages by key within its prefix', async () => {
      const backend = await setup()
      const keys = Array.from({ length: 25 }, (_, i) => `p%${String(i).padStart(2, '0')}`)
      await backend.apply([...keys, 'p', 'px', 'p$', 'q'].map((key) => set(key, stampAt(1), 1)))
      const read: string[] = []
      for (;;) {
        const after = read.at(-1)
        const bound = after === undefined ? {} : { after }
        const page = await backend.listKeys({ prefix: 'p%', limit: 10, ...bound })
        read.push(...page.keys)
        if (page.done) break
        expect(page.keys).toHaveLength(10)
      }
      expect(read).toEqual(keys)
      expect(await backend.listKeys({ prefix: 'p%', limit: 25 })).toMatchObject({ done: true })
      expect(await backend.listKeys({ prefix: 'p%', limit: 24 })).toMatchObject({ done: false })
      expect(await backend.listKeys({ prefix: 'p%', after: 'a', limit: 1 })).toMatchObject({
        keys: ['p%00'],
      })
    })

    test('listLatest shows keys with a visible item, latest first', async () => {
      const backend = await setup()
      await backend.apply([
        append('old', stampAt(1_000), 1),
        append('new', stampAt(200_000), 1),
        append('new', stampAt(2_000), 1),
        append('caller', stampAt(100_000), 1, 'id'),
        set('register', stampAt(300_000), 1),
        clear('cleared', stampAt(300_000)),
      ])
      expect(await latest(backend)).toEqual([
        ['new', stampAt(200_000)],
        ['caller', stampAt(100_000)],
        ['old', stampAt(1_000)],
      ])
    })

    test('listLatest follows appends that come shortly after one another', async () => {
      const backend = await setup()
      for (let i = 0; i < 12; i++) {
        for (const [n, key] of ['a', 'b', 'c'].entries()) {
          await backend.apply([append(key, stampAt(i * 9_000 + ((i * 7 + n) % 3) * 1_000), i)])
        }
        const positions = (await latest(backend)).map(([, position]) => position)
        expect(positions).toEqual([...positions].sort().reverse())
        const offsets = [0, 1, 2].map((n) => i * 9_000 + ((i * 7 + n) % 3) * 1_000)
        expect([...positions].sort()).toEqual(offsets.map((ms) => stampAt(ms)).sort())
      }
    })

    test('listLatest steps back when the latest item is removed or cleared', async () => {
      const backend = await setup()
      await backend.apply([
        append('a', stampAt(1_000), 1),
        append('a', stampAt(500_000), 2),
        append('b', stampAt(250_000), 1),
        append('c', stampAt(2_000), 1),
        append('c', stampAt(400_000), 2, 'id'),
      ])
      expect((await latest(backend)).map(([key]) => key)).toEqual(['a', 'c', 'b'])
      await backend.apply([remove('a', stampAt(500_000), stampAt(500_000), stampAt(600_000))])
      await backend.apply([remove('c', 'id', stampAt(400_000), stampAt(600_000))])
      expect(await latest(backend)).toEqual([
        ['b', stampAt(250_000)],
        ['c', stampAt(2_000)],
        ['a', stampAt(1_000)],
      ])
      await backend.apply([clear('b', stampAt(700_000)), clear('a', stampAt(500))])
      expect((await latest(backend)).map(([key]) => key)).toEqual(['c', 'a'])
      await backend.apply([append('b', stampAt(800_000), 1)])
      expect((await latest(backend)).map(([key]) => key)).toEqual(['b', 'c', 'a'])
    })

    test('listLatest pages by cursor, and orders equal positions by key', async () => {
      const backend = await setup()
      const operations: Operation[] = []
      for (let i = 0; i < 90; i++) {
        // Groups of three at one position; many within a minute; some with older items too.
        const position = stampAt(Math.floor(i / 3) * 7_000)
        operations.push(append(`k${String((i * 37) % 90).padStart(2, '0')}`, position, i))
        if (i % 4 === 0) operations.push(append(`k${String((i * 37) % 90)}`, stampAt(i), i))
      }
      await backend.apply(operations)
      const whole = await latest(backend, 1_000)
      expect(whole.length).toBeGreaterThanOrEqual(90)
      expect(whole).toEqual(
        whole.toSorted(([a, x], [b, y]) => (x > y ? -1 : x < y ? 1 : a < b ? -1 : 1)),
      )
      for (const limit of [1, 7, 45]) expect(await latest(backend, limit)).toEqual(whole)
    })

    test('listLatest pages through many keys, some of which share their minute', async () => {
      const backend = await setup()
      // A step of 37 visits every key once, so that positions do not follow the keys.
      const keys = Array.from({ length: 600 }, (_, i) => `k${(i * 37) % 600}`)
      const newest = keys.map((key, i) => append(key, stampAt(i * 1_500), i))
      // Every fifth had its latest item before, and lost it; every seventh has its item moved.
      const lost = keys.flatMap((key, i) =>
        i % 5 === 0 ? [append(key, stampAt(2_000_000 + i), i, `id ${i}`)] : [],
      )
      const moved = keys.flatMap((key, i) =>
        i % 7 === 0 ? [append(key, stampAt(i * 1_500 + 40_000), i, stampAt(i * 1_500))] : [],
      )
      await backend.apply([...lost, ...newest, ...moved])
      await backend.apply(lost.map(({ key, id, stamp }) => remove(key, id, stamp, stamp)))
      const expected = keys
        .map((key, i) => [key, stampAt(i * 1_500 + (i % 7 === 0 ? 40_000 : 0))] as const)
        .toSorted(([a, x], [b, y]) => (x > y ? -1 : x < y ? 1 : a < b ? -1 : 1))
      for (const limit of [7, 100, 600]) expect(await latest(backend, limit)).toEqual(expected)
    })

    test('listLatest stays within its prefix, every character of which is literal', async () => {
      const backend = await setup()
      const keys = ['t_1', 't_2', 'tx1', 't%1', 't', '\u{1f600}1', '\u{1f600}2']
      await backend.apply(keys.map((key, i) => append(key, stampAt(i * 1_000), 1)))
      expect((await latest(backend, 1, 't_')).map(([key]) => key)).toEqual(['t_2', 't_1'])
      expect((await latest(backend, 9, 't%')).map(([key]) => key)).toEqual(['t%1'])
      expect(await latest(backend, 9, '\u{1f600}')).toHaveLength(2)
      expect(await latest(backend, 9, 'absent')).toEqual([])
    })
  })
}

/** All pages of `listLatest` as pairs. */
async function latest(
  backend: ReplicaBackend,
  limit = 100,
  prefix = '',
): Promise<(readonly [string, string])[]> {
  const read: LatestKey[] = []
  for (;;) {
    const before = read.at(-1)
    const bound = before === undefined ? {} : { before }
    const page = await backend.listLatest({ prefix, limit, ...bound })
    read.push(...page.keys)
    if (page.done) return read.map(({ key, latest: position }) => [key, position])
    expect(page.keys).toHaveLength(limit)
  }
}
