import { describe, expect, test } from 'vitest'
import { allItems, values, type ConformanceContext } from './context.ts'
import { append, clear, edit, json, remove, set, stampAt } from './operations.ts'

const T = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map((n) => stampAt(n * 1_000))

/** `apply` without `decide`: operations are only merged, in any order, any number of times. */
export function merging({ setup }: ConformanceContext): void {
  describe('merging', () => {
    test('an operation that is applied twice has the effect of one', async () => {
      const backend = await setup()
      const group = [
        append('k', T[1]!, 'a'),
        edit('k', T[1]!, T[1]!, T[2]!, 'b'),
        set('k', T[3]!, 1),
      ]
      for (let i = 0; i < 3; i++) {
        const { applied } = await backend.apply(group)
        expect(applied.map(({ outcome }) => outcome)).toEqual(['applied', 'applied', 'applied'])
      }
      await backend.apply([...group, ...group])
      expect(await values(backend, 'k')).toEqual(['b'])
      expect((await backend.countItems('k')).count).toBe(1)
    })

    test('every call names the database, and a clear once it stands', async () => {
      const backend = await setup()
      const { identity, applied } = await backend.apply([clear('k', T[1]!)])
      expect(identity).toMatch(/./)
      expect(applied).toEqual([{ outcome: 'applied' }])
      const later = await backend.apply([append('k', T[2]!, 'a')])
      expect(later).toEqual({ identity, applied: [{ outcome: 'applied', deletedThrough: T[1] }] })
      const page = { identity, deletedThrough: T[1] }
      expect(await backend.readRegister('k')).toEqual(page)
      expect(await backend.countItems('k')).toEqual({ ...page, count: 1 })
      expect(await backend.readItemsById('k', [])).toEqual({ ...page, items: [], done: true })
      expect(await backend.readItems({ key: 'k', limit: 1, order: 'oldest' })).toMatchObject(page)
      expect(await backend.readItems({ key: 'none', limit: 1, order: 'oldest' })).toEqual({
        identity,
        items: [],
        done: true,
      })
    })

    test('a group without operations has no answer and no effect', async () => {
      const backend = await setup()
      expect((await backend.apply([])).applied).toEqual([])
      expect((await backend.apply([], { decide: true })).applied).toEqual([])
    })

    test('the register with the greatest stamp wins, whatever arrives last', async () => {
      const backend = await setup()
      await backend.apply([set('k', T[2]!, 'new')])
      await backend.apply([set('k', T[1]!, 'old')])
      expect((await backend.readRegister('k')).register).toEqual({
        stamp: T[2],
        value: json('new'),
      })
    })

    test('items stand in the order of their positions, whatever arrives last', async () => {
      const backend = await setup()
      for (const n of [5, 1, 3, 2, 4]) await backend.apply([append('k', T[n]!, n, `id ${n}`)])
      for (const n of [9, 7, 8, 6]) await backend.apply([append('k', T[n]!, n)])
      expect(await values(backend, 'k')).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9])
    })

    test('an edit beats the appended value, also when it arrives first', async () => {
      const backend = await setup()
      await backend.apply([edit('k', 'id', T[1]!, T[3]!, 'edited')])
      expect(await values(backend, 'k')).toEqual(['edited'])
      await backend.apply([append('k', T[1]!, 'appended', 'id')])
      await backend.apply([edit('k', 'id', T[1]!, T[2]!, 'older edit')])
      expect(await allItems(backend, 'k')).toEqual([
        {
          id: 'id',
          position: T[1],
          appendedAt: T[1],
          appended: json('appended'),
          editedOf: T[1],
          editedAt: T[3],
          edited: json('edited'),
        },
      ])
    })

    test('a removal stands with its position and without the values up to it', async () => {
      const backend = await setup()
      await backend.apply([append('k', T[1]!, 'a', 'id'), remove('k', 'id', T[1]!, T[2]!)])
      await backend.apply([edit('k', 'id', T[1]!, T[5]!, 'b')])
      expect(await values(backend, 'k')).toEqual([])
      expect(await allItems(backend, 'k', { includeRemoved: true })).toEqual([
        { id: 'id', position: T[1], removedOf: T[1] },
      ])
    })

    test('what stands above a removal is out of sight until a clear takes the removal', async () => {
      const backend = await setup()
      await backend.apply([append('k', T[1]!, 'a', 'id'), remove('k', 'id', T[1]!, T[2]!)])
      await backend.apply([append('k', T[6]!, 'b', 'id'), edit('k', 'id', T[4]!, T[7]!, 'c')])
      expect(await values(backend, 'k')).toEqual([])
      expect((await backend.countItems('k')).count).toBe(0)
      expect((await backend.listLatest({ prefix: '', limit: 5 })).keys).toEqual([])
      expect((await backend.readItemsById('k', ['id'])).items).toMatchObject([
        { id: 'id', position: T[6], removedOf: T[1] },
      ])
      await backend.apply([clear('k', T[3]!)])
      expect(await values(backend, 'k')).toEqual(['c'])
      expect((await backend.countItems('k')).count).toBe(1)
      expect((await backend.listLatest({ prefix: '', limit: 5 })).keys).toEqual([
        { key: 'k', latest: T[6] },
      ])
      await backend.apply([clear('k', T[5]!)])
      expect(await values(backend, 'k')).toEqual(['b'])
    })

    test('of two edits that of the later append wins, then the later one', async () => {
      const backend = await setup()
      await backend.apply([append('k', T[1]!, 'a', 'id'), edit('k', 'id', T[1]!, T[9]!, 'first')])
      await backend.apply([append('k', T[3]!, 'b', 'id')])
      expect(await values(backend, 'k')).toEqual(['first'])
      await backend.apply([edit('k', 'id', T[3]!, T[5]!, 'second')])
      expect(await values(backend, 'k')).toEqual(['second'])
      await backend.apply([edit('k', 'id', T[3]!, T[4]!, 'third')])
      expect(await values(backend, 'k')).toEqual(['second'])
    })

    test('a removal that arrives before its append keeps it away', async () => {
      const backend = await setup()
      await backend.apply([remove('k', T[1]!, T[1]!, T[2]!)])
      await backend.apply([append('k', T[1]!, 'a')])
      expect(await values(backend, 'k')).toEqual([])
      expect((await backend.countItems('k')).count).toBe(0)
    })

    test('of two positions of an id the greatest counts, and its value', async () => {
      const backend = await setup()
      await backend.apply([append('k', T[4]!, 'late', 'id'), append('k', T[3]!, 'other')])
      await backend.apply([append('k', T[1]!, 'early', 'id')])
      expect(await values(backend, 'k')).toEqual(['other', 'late'])
    })

    test('an own id that was stamped again is one item with the row at that id', async () => {
      const backend = await setup()
      await backend.apply([append('k', T[5]!, 'moved', T[1]!)])
      await backend.apply([append('k', T[1]!, 'first'), append('k', T[3]!, 'between')])
      expect(await values(backend, 'k')).toEqual(['between', 'moved'])
      expect((await backend.readItemsById('k', [T[1]!])).items).toHaveLength(1)
      expect((await backend.countItems('k')).count).toBe(2)
      // The other way round.
      await backend.apply([append('j', T[1]!, 'first')])
      await backend.apply([append('j', T[5]!, 'moved', T[1]!), append('j', T[3]!, 'between')])
      expect(await values(backend, 'j')).toEqual(['between', 'moved'])
    })

    test("a caller's id may be the text of a stamp", async () => {
      const backend = await setup()
      const far = stampAt(9_000_000)
      await backend.apply([append('k', T[1]!, 'a', far), append('k', T[2]!, 'b')])
      await backend.apply([append('k', T[3]!, 'c', 'ffffffff-ffff-7fff-bfff-ffffffffffff')])
      await backend.apply([append('k', T[4]!, 'd', T[9]!.toUpperCase())])
      expect(await values(backend, 'k')).toEqual(['a', 'b', 'c', 'd'])
      const page = await backend.readItems({ key: 'k', limit: 1, order: 'newest' })
      expect(page.items[0]!.id).toBe(T[9]!.toUpperCase())
      // A later item whose position is that id is another item.
      await backend.apply([append('k', far, 'e', 'other')])
      expect(await values(backend, 'k')).toEqual(['a', 'b', 'c', 'd', 'e'])
    })

    test('what a clear covers is gone, now and when it arrives later', async () => {
      const backend = await setup()
      const old = [
        append('k', T[1]!, 'a'),
        append('k', T[2]!, 'b', 'id'),
        edit('k', 'id', T[2]!, T[3]!, 'c'),
        set('k', T[3]!, 'd'),
      ]
      await backend.apply(old)
      await backend.apply([append('k', T[6]!, 'kept'), clear('k', T[4]!)])
      await backend.apply(old)
      await backend.apply([clear('k', T[1]!)])
      expect(await values(backend, 'k')).toEqual(['kept'])
      const read = await backend.readRegister('k')
      expect(read.deletedThrough).toBe(T[4])
      expect(read.register).toBeUndefined()
    })

    test('an edit goes with the append that it edits, whatever its stamp', async () => {
      const backend = await setup()
      await backend.apply([append('k', T[1]!, 'a', 'id'), edit('k', 'id', T[1]!, T[5]!, 'b')])
      await backend.apply([clear('k', T[3]!)])
      await backend.apply([edit('k', 'id', T[1]!, T[6]!, 'late')])
      expect(await allItems(backend, 'k', { includeRemoved: true })).toEqual([])
      expect((await backend.readItemsById('k', ['id'])).items).toEqual([])
      await backend.apply([append('k', T[4]!, 'c', 'id')])
      expect(await values(backend, 'k')).toEqual(['c'])
    })

    test('a cleared value is gone, though its item stands at a later position', async () => {
      const backend = await setup()
      await backend.apply([append('k', T[1]!, 'a', 'id'), edit('k', 'id', T[4]!, T[5]!, 'b')])
      await backend.apply([clear('k', T[3]!)])
      const edited = { editedOf: T[4], editedAt: T[5], edited: json('b') }
      const item = { id: 'id', position: T[4], ...edited }
      expect((await backend.readItemsById('k', ['id'])).items).toEqual([item])
      expect(await allItems(backend, 'k')).toEqual([item])
    })

    test('a removal goes with a clear, and its id is free', async () => {
      const backend = await setup()
      await backend.apply([append('k', T[1]!, 'a', 'id'), remove('k', 'id', T[1]!, T[2]!)])
      await backend.apply([clear('k', T[3]!)])
      expect((await backend.readItemsById('k', ['id'])).items).toEqual([])
      await backend.apply([remove('k', 'id', T[1]!, T[4]!), append('k', T[5]!, 'b', 'id')])
      expect(await values(backend, 'k')).toEqual(['b'])
    })
  })
}
