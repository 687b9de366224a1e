import { describe, expect, test } from 'vitest'
import type { Stamp } from '../../core/stamp.ts'
import { judge, outcomes, values, type ConformanceContext } from './context.ts'
import { append, clear, edit, json, remove, set, stampAt } from './operations.ts'

const T = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map((n) => stampAt(n * 1_000))
const unique = { unique: true } as const

/** `apply` with `decide`: what each operation is answered, and what a refusal withholds. */
export function deciding({ setup }: ConformanceContext): void {
  describe('deciding', () => {
    test('an append or a set at or below a clear is behind it', async () => {
      const backend = await setup()
      await backend.apply([clear('k', T[3]!)])
      const behind = [{ outcome: 'behind', stamp: T[3], deletedThrough: T[3] }]
      expect(await judge(backend, [append('k', T[2]!, 'a')])).toEqual(behind)
      expect(await judge(backend, [append('k', T[3]!, 'a')])).toEqual(behind)
      expect(await judge(backend, [append('k', T[2]!, 'a', 'id')], unique)).toEqual(behind)
      expect(await judge(backend, [set('k', T[3]!, 'a')])).toEqual(behind)
      expect(await values(backend, 'k')).toEqual([])
      expect(await outcomes(backend, [append('k', T[4]!, 'a')])).toEqual(['applied'])
      expect(await outcomes(backend, [set('k', T[4]!, 'a')])).toEqual(['applied'])
    })

    test('a set below the register is behind it; a repeat is applied', async () => {
      const backend = await setup()
      expect(await judge(backend, [set('k', T[3]!, 'a')])).toEqual([{ outcome: 'applied' }])
      expect(await judge(backend, [set('k', T[2]!, 'b')])).toEqual([
        { outcome: 'behind', stamp: T[3] },
      ])
      expect(await outcomes(backend, [set('k', T[3]!, 'a')])).toEqual(['applied'])
      expect((await backend.readRegister('k')).register).toEqual({ stamp: T[3], value: json('a') })
    })

    test('a repeat of an own append is applied and stands once', async () => {
      const backend = await setup()
      for (let i = 0; i < 3; i++) {
        expect(await outcomes(backend, [append('k', T[1]!, 'a')])).toEqual(['applied'])
      }
      expect(await values(backend, 'k')).toEqual(['a'])
    })

    test('an edit older than what stands is behind it', async () => {
      const backend = await setup()
      await backend.apply([append('k', T[1]!, 'a', 'id'), edit('k', 'id', T[1]!, T[4]!, 'b')])
      expect(await judge(backend, [edit('k', 'id', T[1]!, T[3]!, 'c')])).toEqual([
        { outcome: 'behind', stamp: T[4] },
      ])
      expect(await outcomes(backend, [edit('k', 'id', T[1]!, T[4]!, 'b')])).toEqual(['applied'])
      expect(await outcomes(backend, [edit('k', 'id', T[1]!, T[5]!, 'd')])).toEqual(['applied'])
      expect(await values(backend, 'k')).toEqual(['d'])
    })

    test('an edit from a clock behind the append is behind its position', async () => {
      const backend = await setup()
      await backend.apply([append('k', T[5]!, 'a', 'id')])
      expect(await judge(backend, [edit('k', 'id', T[5]!, T[2]!, 'b')])).toEqual([
        { outcome: 'behind', stamp: T[5] },
      ])
    })

    test('an edit of an item that the store does not have is applied', async () => {
      const backend = await setup()
      expect(await outcomes(backend, [edit('k', 'id', T[1]!, T[2]!, 'b')])).toEqual(['applied'])
      expect(await outcomes(backend, [remove('k', 'other', T[1]!, T[2]!)])).toEqual(['applied'])
    })

    test.each<
      readonly [string, readonly ReturnType<typeof append | typeof edit | typeof set>[], Stamp]
    >([
      ['an append', [append('k', T[4]!, 'a')], T[4]!],
      ["an append with a caller's id", [append('k', T[4]!, 'a', 'id')], T[4]!],
      ['an append of a moved own id', [append('k', T[4]!, 'a', T[1]!)], T[4]!],
      ['an edit', [append('k', T[1]!, 'a'), edit('k', T[1]!, T[1]!, T[5]!, 'b')], T[5]!],
      ['a register', [append('k', T[1]!, 'a'), set('k', T[6]!, 'b')], T[6]!],
    ])('a clear that does not cover %s is behind it', async (_what, operations, head) => {
      const backend = await setup()
      await backend.apply(operations)
      expect(await judge(backend, [clear('k', T[3]!)])).toEqual([
        { outcome: 'behind', stamp: head },
      ])
      expect((await backend.readRegister('k')).deletedThrough).toBeUndefined()
      expect(await outcomes(backend, [clear('k', T[9]!)])).toEqual(['applied'])
      expect(await values(backend, 'k')).toEqual([])
      // A repeat covers what is there: nothing.
      expect(await outcomes(backend, [clear('k', T[9]!)])).toEqual(['applied'])
    })

    test('an edit or a removal of a cleared item finds it gone', async () => {
      const backend = await setup()
      await backend.apply([append('k', T[1]!, 'a', 'id'), clear('k', T[3]!)])
      const gone = [{ outcome: 'gone', deletedThrough: T[3] }]
      expect(await judge(backend, [edit('k', 'id', T[1]!, T[5]!, 'b')])).toEqual(gone)
      expect(await judge(backend, [remove('k', 'id', T[1]!, T[5]!)])).toEqual(gone)
    })

    test('an edit of a removed item finds it gone; removing it again is applied', async () => {
      const backend = await setup()
      await backend.apply([append('k', T[1]!, 'a', 'id'), remove('k', 'id', T[1]!, T[2]!)])
      expect(await outcomes(backend, [edit('k', 'id', T[1]!, T[5]!, 'b')])).toEqual(['gone'])
      expect(await outcomes(backend, [remove('k', 'id', T[1]!, T[6]!)])).toEqual(['applied'])
    })

    test('a unique append whose id stands with the same content changes nothing', async () => {
      const backend = await setup()
      expect(await outcomes(backend, [append('k', T[1]!, 'a', 'id')], unique)).toEqual(['applied'])
      const item = {
        id: 'id',
        position: T[1],
        appendedAt: T[1],
        appended: json('a'),
      }
      expect(await judge(backend, [append('k', T[5]!, 'a', 'id')], unique)).toEqual([
        { outcome: 'stands', item },
      ])
      expect((await backend.readItemsById('k', ['id'])).items).toEqual([item])
    })

    test('a unique append whose id stands with other content is a conflict', async () => {
      const backend = await setup()
      await backend.apply([append('k', T[1]!, 'a', 'id')])
      expect(await judge(backend, [append('k', T[5]!, 'b', 'id')], unique)).toMatchObject([
        { outcome: 'conflict', item: { id: 'id', position: T[1], appended: json('a') } },
      ])
      expect(await values(backend, 'k')).toEqual(['a'])
    })

    test('an item that was edited since counts as the same content', async () => {
      const backend = await setup()
      await backend.apply([append('k', T[1]!, 'a', 'id'), edit('k', 'id', T[1]!, T[3]!, 'b')])
      expect(await judge(backend, [append('k', T[5]!, 'x', 'id')], unique)).toMatchObject([
        { outcome: 'stands', item: { id: 'id', edited: json('b') } },
      ])
      expect(await values(backend, 'k')).toEqual(['b'])
    })

    test('an id that was removed is a conflict, but for the append itself once more', async () => {
      const backend = await setup()
      await backend.apply([append('k', T[2]!, 'a', 'id'), remove('k', 'id', T[2]!, T[4]!)])
      for (const at of [T[1]!, T[6]!]) {
        expect(await judge(backend, [append('k', at, 'a', 'id')], unique)).toMatchObject([
          { outcome: 'conflict', item: { id: 'id', removedOf: T[2] } },
        ])
      }
      expect(await outcomes(backend, [append('k', T[2]!, 'a', 'id')], unique)).toEqual(['stands'])
      expect(await values(backend, 'k')).toEqual([])
    })

    test.each([
      ['saved', []],
      ['edited', [edit('k', 'id', T[1]!, T[3]!, 'b')]],
      ['edited after the clear', [edit('k', 'id', T[1]!, T[7]!, 'b')]],
      ['removed', [remove('k', 'id', T[1]!, T[3]!)]],
      ['removed after the clear', [remove('k', 'id', T[1]!, T[7]!)]],
    ])('after a clear the id of what was %s is new again', async (_what, changes) => {
      const backend = await setup()
      await backend.apply([append('k', T[1]!, 'a', 'id'), ...changes, clear('k', T[4]!)])
      expect(await outcomes(backend, [append('k', T[5]!, 'c', 'id')], unique)).toEqual(['applied'])
      expect(await values(backend, 'k')).toEqual(['c'])
      const again = [append('k', T[6]!, 'd', 'id')]
      expect(await outcomes(backend, again, unique)).toEqual(['conflict'])
    })

    test('an edit or a removal of an item that stands further on is behind it', async () => {
      const backend = await setup()
      await backend.apply([append('k', T[1]!, 'a', 'id'), append('k', T[5]!, 'a', 'id')])
      const behind = [{ outcome: 'behind', stamp: T[5], position: T[5] }]
      expect(await judge(backend, [edit('k', 'id', T[1]!, T[6]!, 'b')])).toEqual(behind)
      expect(await judge(backend, [remove('k', 'id', T[1]!, T[6]!)])).toEqual(behind)
      expect(await outcomes(backend, [edit('k', 'id', T[5]!, T[6]!, 'b')])).toEqual(['applied'])
      expect(await outcomes(backend, [remove('k', 'id', T[5]!, T[7]!)])).toEqual(['applied'])
      expect(await values(backend, 'k')).toEqual([])
    })

    test('one refusal withholds its whole group, and only its group', async () => {
      const backend = await setup()
      await backend.apply([set('k', T[5]!, 'old'), append('k', T[1]!, 'stands', 'id')])
      const group = [
        append('k', T[6]!, 'a'),
        append('other', T[6]!, 'b'),
        set('k', T[2]!, 'behind'),
        set('other', T[6]!, 'c'),
      ]
      const [refused, alone] = await Promise.all([
        outcomes(backend, group),
        outcomes(backend, [append('k', T[7]!, 'alone')]),
      ])
      expect(refused).toEqual(['withheld', 'withheld', 'behind', 'withheld'])
      expect(alone).toEqual(['applied'])
      expect(await values(backend, 'k')).toEqual(['stands', 'alone'])
      expect(await values(backend, 'other')).toEqual([])
      expect(await backend.get('other')).toBeUndefined()
      expect(await backend.list('other')).toEqual([])
    })

    test('calls beside a refused group see nothing of it', async () => {
      const backend = await setup()
      await backend.apply([set('behind', T[5]!, 1)])
      const refusal = set('behind', T[2]!, 2)
      const results = await Promise.all([
        outcomes(backend, [append('new', T[1]!, 'withheld'), clear('k', T[8]!), refusal]),
        outcomes(backend, [append('new', T[2]!, 'a'), append('k', T[3]!, 'b')]),
        outcomes(backend, [set('k', T[4]!, 'c'), refusal]),
        outcomes(backend, [set('k', T[3]!, 'd')]),
      ])
      expect(results).toEqual([
        ['withheld', 'withheld', 'behind'],
        ['applied', 'applied'],
        ['withheld', 'behind'],
        ['applied'],
      ])
      expect(await values(backend, 'new')).toEqual(['a'])
      expect(await values(backend, 'k')).toEqual(['b'])
      expect(await backend.get('k')).toBe('d')
      expect(await backend.list('')).toEqual(['behind', 'k', 'new'])
    })

    test('a conflict refuses the group; what stands says so in the same answer', async () => {
      const backend = await setup()
      await backend.apply([append('k', T[1]!, 'a', 'same'), append('k', T[2]!, 'a', 'different')])
      const group = [
        append('k', T[5]!, 'a', 'same'),
        append('k', T[6]!, 'new', 'new'),
        append('k', T[7]!, 'b', 'different'),
      ]
      expect(await outcomes(backend, group, unique)).toEqual(['stands', 'withheld', 'conflict'])
      expect(await values(backend, 'k')).toEqual(['a', 'a'])
    })

    test('a later operation of a group sees the earlier ones', async () => {
      const backend = await setup()
      const group = [
        append('k', T[1]!, 'a', 'id'),
        edit('k', 'id', T[1]!, T[2]!, 'b'),
        edit('k', 'id', T[1]!, T[3]!, 'c'),
      ]
      expect(await outcomes(backend, group, unique)).toEqual(['applied', 'applied', 'applied'])
      expect(await values(backend, 'k')).toEqual(['c'])
      const twice = [append('k', T[4]!, 'd', 'two'), append('k', T[5]!, 'e', 'two')]
      expect(await outcomes(backend, twice, unique)).toEqual(['withheld', 'conflict'])
      const cleared = [clear('k', T[6]!), append('k', T[5]!, 'late')]
      expect(await outcomes(backend, cleared)).toEqual(['withheld', 'behind'])
      expect(await values(backend, 'k')).toEqual(['c'])
    })

    test('a group that is refused can be applied later with other stamps', async () => {
      const backend = await setup()
      await backend.apply([clear('k', T[5]!)])
      const texts = ['a', 'b']
      const early = texts.map((text, i) => append('k', T[i + 1]!, text, text))
      expect(await outcomes(backend, early, unique)).toEqual(['behind', 'behind'])
      const late = texts.map((text, i) => append('k', T[i + 6]!, text, text))
      expect(await outcomes(backend, late, unique)).toEqual(['applied', 'applied'])
      expect(await outcomes(backend, late, unique)).toEqual(['stands', 'stands'])
      expect(await values(backend, 'k')).toEqual(['a', 'b'])
    })
  })
}
