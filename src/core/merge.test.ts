import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { someOperations } from '../testing/operation-arbitraries.ts'
import { append, clear, edit, json, remove, set, stampAt } from '../testing/backend/operations.ts'
import {
  applyOperation,
  byPosition,
  emptyState,
  headOf,
  isRemoved,
  itemStamp,
  itemValue,
  mergeState,
  operationsOf,
  visibleItems,
  type KeyState,
} from './merge.ts'
import type { Operation } from './operation.ts'
import { STAMP_MIN } from './stamp.ts'

/** Operations of one key: merging never looks at another. */
const operations = someOperations(25).map((list) =>
  list.map((operation) => ({ ...operation, key: 'k' })),
)
const state = operations.map((list) => stateOf(...list))
const runs = { numRuns: 1_000 }

function stateOf(...list: readonly Operation[]): KeyState {
  const result = emptyState()
  for (const operation of list) applyOperation(result, operation)
  return result
}

function permutations<T>(list: readonly T[]): T[][] {
  if (list.length === 0) return [[]]
  return list.flatMap((first, i) =>
    permutations(list.filter((_, j) => j !== i)).map((rest) => [first, ...rest]),
  )
}

function join(...states: readonly KeyState[]): KeyState {
  const result = emptyState()
  for (const other of states) mergeState(result, other)
  return result
}

describe('laws of merging', () => {
  test('states: merging is idempotent, commutative and associative', () => {
    fc.assert(
      fc.property(state, state, state, (a, b, c) => {
        expect(join(a, a)).toEqual(a)
        expect(join(a, b)).toEqual(join(b, a))
        expect(join(join(a, b), c)).toEqual(join(a, join(b, c)))
      }),
      runs,
    )
  })

  test('operations: any order with repeats ends in the same state', () => {
    const shuffled = operations.chain((list) => {
      const twice = [...list, ...list]
      return fc.tuple(
        fc.constant(list),
        fc.shuffledSubarray(twice, { minLength: twice.length, maxLength: twice.length }),
      )
    })
    fc.assert(
      fc.property(shuffled, ([list, other]) => {
        expect(stateOf(...other)).toEqual(stateOf(...list))
      }),
      runs,
    )
  })

  test('merging two states is applying the operations of both', () => {
    fc.assert(
      fc.property(operations, operations, (a, b) => {
        expect(join(stateOf(...a), stateOf(...b))).toEqual(stateOf(...a, ...b))
      }),
      runs,
    )
  })

  test('the operations of a state make it from nothing', () => {
    fc.assert(
      fc.property(state, (a) => {
        expect(stateOf(...operationsOf('k', a))).toEqual(a)
      }),
      runs,
    )
  })

  test('nothing that stands is at or below deletedThrough', () => {
    fc.assert(
      fc.property(state, (a) => {
        const through = a.deletedThrough ?? STAMP_MIN
        if (a.register !== undefined) expect(a.register.stamp > through).toBe(true)
        for (const item of a.items.values()) {
          const positions = [item.appendedAt, item.editedOf, item.removedOf].filter(
            (position) => position !== undefined,
          )
          for (const position of positions) expect(position > through).toBe(true)
          expect(item.position).toBe(positions.toSorted().at(-1))
        }
      }),
      runs,
    )
  })

  test('a removal, once seen, is unseen only by a clear of its position', () => {
    fc.assert(
      fc.property(state, operations, (a, later) => {
        const removed = [...a.items.values()].filter(isRemoved)
        for (const operation of later) applyOperation(a, operation)
        for (const { id, removedOf } of removed) {
          const isCleared = (a.deletedThrough ?? STAMP_MIN) >= removedOf!
          if (!isCleared) expect(isRemoved(a.items.get(id)!)).toBe(true)
        }
      }),
      runs,
    )
  })

  // Goal: places that hear of a clear early, late or in between end equal.
  // Method: every order of one item's operations with the clear at every place among them.
  test('every order of the changes of one id, with clears anywhere between, ends in the same state', () => {
    const [one, two, three, four, five, six] = [1, 2, 3, 4, 5, 6].map((n) => stampAt(n))
    const all = [
      append('k', one!, 'old', 'id'),
      edit('k', 'id', one!, six!, 'ghost'),
      append('k', four!, 'new', 'id'),
      edit('k', 'id', four!, five!, 'edited'),
      remove('k', 'id', one!, two!),
      clear('k', three!),
    ]
    const expected = stateOf(...all)
    expect(visibleItems(expected).map(itemValue)).toEqual([json('edited')])
    for (const order of permutations(all)) expect(stateOf(...order)).toEqual(expected)
  })
})

describe('what a state shows', () => {
  const [one, two, three] = [stampAt(1), stampAt(2), stampAt(3)]

  test('items in the order of their positions, edited values before appended ones', () => {
    const shown = stateOf(
      append('k', two, 'second'),
      append('k', one, 'first', 'id'),
      edit('k', 'id', one, three, 'edited'),
    )
    expect(visibleItems(shown).map(itemValue)).toEqual([json('edited'), json('second')])
  })

  test('the head is the greatest stamp of what is live', () => {
    expect(headOf(emptyState())).toBeUndefined()
    expect(headOf(stateOf(append('k', two, 1), append('k', one, 1)))).toBe(two)
    expect(headOf(stateOf(append('k', one, 1), edit('k', one, one, three, 2)))).toBe(three)
    expect(headOf(stateOf(set('k', three, 1), append('k', one, 1)))).toBe(three)
    expect(headOf(stateOf(append('k', one, 1), clear('k', two)))).toBeUndefined()
    const removed = stateOf(remove('k', 'id', one, two), clear('k', three))
    expect(headOf(removed)).toBeUndefined()
    expect(removed.items.size).toBe(0)
  })

  test('an edit must exceed the position and the edit that stands', () => {
    const item = stateOf(append('k', two, 1, 'id')).items.get('id')!
    expect(itemStamp(item)).toBe(two)
    expect(itemStamp({ ...item, editedAt: three, edited: json(2) })).toBe(three)
    expect(itemStamp({ ...item, editedAt: one, edited: json(2) })).toBe(two)
  })

  test('items are sorted by position and then by id', () => {
    const item = (id: string, position = one) => ({ id, position })
    const items = [item('b'), item('a', two), item('a')]
    expect(items.toSorted(byPosition)).toEqual([item('a'), item('b'), item('a', two)])
  })
})
