import fc from 'fast-check'
import { expect, test } from 'vitest'
import { someOperations } from '../testing/operation-arbitraries.ts'
import { append, clear, edit, remove, set, stampAt } from '../testing/backend/operations.ts'
import { decide, isRefusal } from './decide.ts'
import { applyOperation, emptyState, headOf, isRemoved, itemValue, type KeyState } from './merge.ts'
import { restamp, type Operation } from './operation.ts'

const [one, two, three, four] = [1, 2, 3, 4].map((n) => stampAt(n)) as [
  ReturnType<typeof stampAt>,
  ReturnType<typeof stampAt>,
  ReturnType<typeof stampAt>,
  ReturnType<typeof stampAt>,
]

function stateOf(...list: readonly Operation[]): KeyState {
  const result = emptyState()
  for (const operation of list) applyOperation(result, operation)
  return result
}

/** A history of one key, and one more operation that follows. */
const history = someOperations(25, 1).map((list) => {
  const operations = list.map((operation) => ({ ...operation, key: 'k' }))
  return [operations.slice(0, -1), operations.at(-1)!] as const
})

// Goal: an acknowledged write is never swallowed.
// Method: whatever is judged `applied` must be what a reader sees right after it was merged.
test('what is applied has its effect: it is what stands afterwards', () => {
  fc.assert(
    fc.property(history, fc.boolean(), ([list, operation], unique) => {
      const state = stateOf(...list)
      if (decide(state, operation, unique).outcome !== 'applied') return
      applyOperation(state, operation)
      switch (operation.kind) {
        case 'set':
          expect(state.register).toEqual({ stamp: operation.stamp, value: operation.value })
          return
        case 'delete':
          expect(state.deletedThrough! >= operation.stamp).toBe(true)
          expect(headOf(state)).toBeUndefined()
          return
        case 'put': {
          const item = state.items.get(operation.id)!
          if (operation.change === 'remove') expect(isRemoved(item)).toBe(true)
          else if (operation.change === 'edit') expect(itemValue(item)).toBe(operation.value)
          // Blind: it may come to an item that was removed, or stands further on.
          else if (!unique) expect(item.position >= operation.position).toBe(true)
          else expect(itemValue(item)).toBe(operation.value)
        }
      }
    }),
    { numRuns: 2_000 },
  )
})

test('a refusal or an existing id changes nothing', () => {
  fc.assert(
    fc.property(history, fc.boolean(), ([list, operation], unique) => {
      const state = stateOf(...list)
      decide(state, operation, unique)
      expect(state).toEqual(stateOf(...list))
    }),
  )
})

test('behind names what, exceeded or carried, lets the operation through', () => {
  const late = stampAt(100_000_000)
  fc.assert(
    fc.property(history, ([list, operation]) => {
      const state = stateOf(...list)
      const verdict = decide(state, operation, false)
      if (verdict.outcome !== 'behind') return
      if (verdict.position === undefined) expect(verdict.stamp >= operation.stamp).toBe(true)
      expect(verdict.stamp < late).toBe(true)
      const again =
        operation.kind === 'put' && operation.change === 'append'
          ? { ...operation, position: late, stamp: late }
          : restamp(operation, late, verdict.position)
      expect(decide(state, again, false).outcome).toBe('applied')
    }),
    { numRuns: 1_000 },
  )
})

test('a verdict carries the clear that stands', () => {
  const state = stateOf(clear('k', two))
  expect(decide(state, append('k', one, 1), false)).toEqual({
    outcome: 'behind',
    stamp: two,
    deletedThrough: two,
  })
  expect(decide(state, append('k', three, 1), false)).toEqual({
    outcome: 'applied',
    deletedThrough: two,
  })
  expect(decide(emptyState(), append('k', one, 1), false)).toEqual({ outcome: 'applied' })
})

test('at the stamp of a clear everything is behind it or gone', () => {
  const state = stateOf(clear('k', two))
  const behind = { outcome: 'behind', stamp: two, deletedThrough: two }
  expect(decide(state, set('k', two, 1), false)).toEqual(behind)
  expect(decide(state, append('k', two, 1), false)).toEqual(behind)
  expect(decide(state, edit('k', 'id', two, three, 1), false).outcome).toBe('gone')
  expect(decide(state, remove('k', 'id', two, three), false).outcome).toBe('gone')
  expect(decide(state, clear('k', two), false).outcome).toBe('applied')
})

test('a repeat with the same stamp is applied, an older one is behind', () => {
  const state = stateOf(set('k', two, 1), append('k', two, 1), edit('k', two, two, three, 2))
  expect(decide(state, set('k', two, 1), false).outcome).toBe('applied')
  expect(decide(state, set('k', one, 1), false).outcome).toBe('behind')
  expect(decide(state, append('k', two, 1), false).outcome).toBe('applied')
  expect(decide(state, edit('k', two, two, three, 2), false).outcome).toBe('applied')
  expect(decide(state, edit('k', two, two, two, 2), false).outcome).toBe('behind')
  expect(decide(state, clear('k', two), false)).toEqual({ outcome: 'behind', stamp: three })
})

test('a unique append tells a repeat from a conflict by content', () => {
  const state = stateOf(append('k', one, 'a', 'id'))
  expect(decide(state, append('k', two, 'a', 'id'), true).outcome).toBe('stands')
  expect(decide(state, append('k', two, 'b', 'id'), true).outcome).toBe('conflict')
  expect(decide(state, append('k', two, 'b', 'id'), false).outcome).toBe('applied')
  applyOperation(state, edit('k', 'id', one, three, 'c'))
  expect(decide(state, append('k', two, 'b', 'id'), true).outcome).toBe('stands')
  applyOperation(state, remove('k', 'id', one, four))
  expect(decide(state, append('k', two, 'b', 'id'), true).outcome).toBe('conflict')
  expect(decide(state, append('k', one, 'a', 'id'), true).outcome).toBe('stands')
  applyOperation(state, clear('k', one))
  expect(decide(state, append('k', two, 'b', 'id'), true).outcome).toBe('applied')
})

test('only conflict, behind and gone refuse a group', () => {
  const outcomes = ['applied', 'stands', 'conflict', 'behind', 'gone', 'withheld'] as const
  const refusing = outcomes.filter((outcome) => isRefusal({ outcome } as never))
  expect(refusing).toEqual(['conflict', 'behind', 'gone'])
})
