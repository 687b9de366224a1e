import { describe, expect, test } from 'vitest'
import type { ReplicaBackend } from '../../backend/replica-backend.ts'
import { isRemoved } from '../../core/merge.ts'
import { allItems, type ConformanceContext } from './context.ts'
import { append, clear, edit, remove, set, stampAt } from './operations.ts'

const LONG = 2_500

/** A list with own ids, callers' ids and moved items. */
async function fill(backend: ReplicaBackend, key: string, count: number): Promise<void> {
  const operations = Array.from({ length: count }, (_, i) => {
    const position = stampAt(i * 100)
    return append(key, position, i, idOf(i))
  })
  for (let at = 0; at < count; at += 500) await backend.apply(operations.slice(at, at + 500))
}

function idOf(i: number): string {
  // Every third has a caller's id, every seventh was stamped again after its id was made.
  if (i % 3 === 1) return `caller ${i}`
  return i % 7 === 2 ? stampAt(i * 100, 0, 0) : stampAt(i * 100)
}

/** `readItems`, `readItemsById` and `countItems`. */
export function paging({ setup }: ConformanceContext): void {
  describe('paging', () => {
    test('pages of any size give a long list once, in order, both ways', async () => {
      const backend = await setup()
      await fill(backend, 'k', LONG)
      await fill(backend, 'other', 10)
      for (const limit of [1_000, 333, 2_500, 2_501]) {
        const oldest = await pages(backend, 'oldest', limit)
        expect(oldest).toEqual(Array.from({ length: LONG }, (_, i) => String(i)))
        const newest = await pages(backend, 'newest', limit)
        expect(newest).toEqual(oldest.toReversed())
      }
      expect((await backend.countItems('k')).count).toBe(LONG)
    })

    test('before and after exclude their positions, alone and together', async () => {
      const backend = await setup()
      await fill(backend, 'k', 30)
      const at = (i: number) => stampAt(i * 100)
      const read = async (query: object): Promise<unknown[]> => {
        const page = await backend.readItems({ key: 'k', limit: 100, order: 'oldest', ...query })
        expect(page.done).toBe(true)
        return page.items.map(({ appended }) => Number(appended))
      }
      expect(await read({ after: at(26) })).toEqual([27, 28, 29])
      expect(await read({ before: at(3) })).toEqual([0, 1, 2])
      expect(await read({ after: at(10), before: at(14) })).toEqual([11, 12, 13])
      expect(await read({ after: at(10), before: at(14), order: 'newest' })).toEqual([13, 12, 11])
      expect(await read({ after: at(10), before: at(11) })).toEqual([])
      expect(await read({ after: at(29) })).toEqual([])
    })

    test('done is true exactly when nothing lies beyond', async () => {
      const backend = await setup()
      await fill(backend, 'k', 4)
      for (const order of ['oldest', 'newest'] as const) {
        for (const [limit, done] of [
          [1, false],
          [3, false],
          [4, true],
          [5, true],
        ] as const) {
          const page = await backend.readItems({ key: 'k', limit, order })
          expect([page.items.length, page.done]).toEqual([Math.min(limit, 4), done])
        }
      }
    })

    test('removed items are shown when they are asked for, with their positions', async () => {
      const backend = await setup()
      await fill(backend, 'k', 6)
      await backend.apply([
        remove('k', idOf(1), stampAt(100), stampAt(1_000)),
        remove('k', idOf(5), stampAt(500), stampAt(1_000)),
      ])
      const query = { key: 'k', limit: 2, order: 'newest' } as const
      const visible = await backend.readItems(query)
      expect(visible.items.map(({ appended }) => appended)).toEqual(['4', '3'])
      const all = await backend.readItems({ ...query, includeRemoved: true })
      expect(all.items.map((item) => [item.position, isRemoved(item)])).toEqual([
        [stampAt(500), true],
        [stampAt(400), false],
      ])
      expect((await backend.countItems('k')).count).toBe(4)
      expect(await allItems(backend, 'k', { limit: 1 })).toHaveLength(4)
      expect(await allItems(backend, 'k', { limit: 1, includeRemoved: true })).toHaveLength(6)
    })

    test('a page that begins with many removed items is still full', async () => {
      const backend = await setup()
      await fill(backend, 'k', 40)
      const removed = Array.from({ length: 35 }, (_, i) => i + 4)
      await backend.apply(
        removed.map((i) => remove('k', idOf(i), stampAt(i * 100), stampAt(9_000))),
      )
      const page = await backend.readItems({ key: 'k', limit: 3, order: 'newest' })
      expect(page.items.map(({ appended }) => appended)).toEqual(['39', '3', '2'])
      expect(page.done).toBe(false)
    })

    test('items that arrive between two pages neither hide nor repeat others', async () => {
      const backend = await setup()
      await fill(backend, 'k', 10)
      const first = await backend.readItems({ key: 'k', limit: 5, order: 'newest' })
      await backend.apply([append('k', stampAt(5_000), 'new'), append('k', stampAt(450), 'late')])
      const before = first.items.at(-1)!.position
      const second = await backend.readItems({ key: 'k', limit: 6, order: 'newest', before })
      expect(second.items.map(({ appended }) => appended)).toEqual([
        '"late"',
        '4',
        '3',
        '2',
        '1',
        '0',
      ])
      expect(second.done).toBe(true)
    })

    test('readItemsById finds what is there, removed items too', async () => {
      const backend = await setup()
      await fill(backend, 'k', 8)
      await backend.apply([remove('k', idOf(4), stampAt(400), stampAt(1_000))])
      const page = await backend.readItemsById('k', [idOf(0), idOf(2), idOf(4), 'absent'])
      expect(page.done).toBe(true)
      expect(page.items.map((item) => `${item.id} ${isRemoved(item)}`).sort()).toEqual(
        [`${idOf(0)} false`, `${idOf(2)} false`, `${idOf(4)} true`].sort(),
      )
      expect((await backend.readItemsById('other', [idOf(0)])).items).toEqual([])
      expect((await backend.readItemsById('k', [])).items).toEqual([])
    })

    test('countItems counts what readers see, before and after a clear', async () => {
      const backend = await setup()
      expect((await backend.countItems('k')).count).toBe(0)
      await fill(backend, 'k', 20)
      await backend.apply([
        set('k', stampAt(5_000), 'no item'),
        remove('k', idOf(1), stampAt(100), stampAt(5_000)),
        edit('k', idOf(2), stampAt(200), stampAt(5_000), 'edited'),
      ])
      expect((await backend.countItems('k')).count).toBe(19)
      await backend.apply([clear('k', stampAt(900))])
      expect((await backend.countItems('k')).count).toBe(10)
    })

    test('ids and values of any text come back as they were', async () => {
      const backend = await setup()
      const texts = ['%', "'", '"', '\\', '__proto__', 'é\u{1f600}', ' ', 'x'.repeat(250)]
      const operations = texts.map((text, i) => append('k', stampAt(i), `\0${text}\ud800`, text))
      await backend.apply(operations, { decide: true, unique: true })
      const items = await allItems(backend, 'k')
      expect(items.map(({ id }) => id)).toEqual(texts)
      expect(items.map(({ appended }) => appended)).toEqual(operations.map(({ value }) => value))
      expect((await backend.readItemsById('k', texts)).items).toHaveLength(texts.length)
    })
  })
}

async function pages(
  backend: ReplicaBackend,
  order: 'oldest' | 'newest',
  limit: number,
): Promise<(string | undefined)[]> {
  const read: (string | undefined)[] = []
  let bound = {}
  for (;;) {
    const page = await backend.readItems({ key: 'k', limit, order, ...bound })
    read.push(...page.items.map(({ appended }) => appended))
    if (page.done) return read
    const edge = page.items.at(-1)!.position
    bound = order === 'oldest' ? { after: edge } : { before: edge }
  }
}
