import { expect, test } from 'vitest'
import { judge, type Acknowledged, type Found } from './judge.ts'

function acknowledged(...ids: readonly string[]): Acknowledged[] {
  return ids.map((id) => ({ conversationId: 'c', id, text: `text of ${id}`, cleared: false }))
}

function found(...ids: readonly string[]): Map<string, Found[]> {
  return new Map([['c', ids.map((id) => ({ id, text: `text of ${id}` }))]])
}

const CLEAN = { lost: 0, duplicated: 0, reordered: 0, returned: 0 }

test('a database that holds all of it in order is clean', () => {
  expect(judge(acknowledged('a', 'b', 'c'), found('a', 'b', 'c'))).toEqual(CLEAN)
})

test('what is not there is lost, and so is a message with another text', () => {
  expect(judge(acknowledged('a', 'b'), found('a'))).toEqual({ ...CLEAN, lost: 1 })
  expect(judge(acknowledged('a'), new Map())).toEqual({ ...CLEAN, lost: 1 })
  const changed = new Map([['c', [{ id: 'a', text: 'other' }]]])
  expect(judge(acknowledged('a'), changed)).toEqual({ ...CLEAN, lost: 1 })
})

test('what is there twice, or was never acknowledged, is duplicated', () => {
  expect(judge(acknowledged('a'), found('a', 'a'))).toEqual({ ...CLEAN, duplicated: 1 })
  expect(judge(acknowledged('a'), found('a', 'x'))).toEqual({ ...CLEAN, duplicated: 1 })
  const other = new Map([...found('a'), ['d', [{ id: 'y', text: '' }]]])
  expect(judge(acknowledged('a'), other)).toEqual({ ...CLEAN, duplicated: 1 })
})

test('reordered counts the messages that would have to move', () => {
  expect(judge(acknowledged('a', 'b', 'c', 'd'), found('b', 'c', 'd', 'a'))).toEqual({
    ...CLEAN,
    reordered: 1,
  })
  expect(judge(acknowledged('a', 'b', 'c'), found('c', 'b', 'a'))).toEqual({
    ...CLEAN,
    reordered: 2,
  })
})

test('a cleared message may be absent, and has returned when it is there', () => {
  const cleared = acknowledged('a', 'b').map((message) => ({ ...message, cleared: true }))
  expect(judge(cleared, new Map())).toEqual(CLEAN)
  expect(judge(cleared, found('a'))).toEqual({ ...CLEAN, returned: 1 })
})
