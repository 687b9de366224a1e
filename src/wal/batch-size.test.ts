import { expect, test } from 'vitest'
import { BatchSize } from './batch-size.ts'

test('a place that was never out gets all that there may be, however long it takes', () => {
  const size = new BatchSize(500)
  size.taken(500, 1_000)
  expect(size.entries).toBe(500)
})

test('after an outage batches begin small, grow while they are quick and shrink when they are slow', () => {
  const size = new BatchSize(500)
  size.out()
  const taken = (tookMs: number): number => {
    size.taken(size.entries, tookMs)
    return size.entries
  }
  expect(size.entries).toBe(32)
  expect([1, 19, 1, 1].map(taken)).toEqual([64, 128, 256, 500])
  expect([25, 41, 41].map(taken)).toEqual([500, 250, 125])
  expect([100, 100, 100].map(taken)).toEqual([62, 32, 32])
})

test('a batch that is not full ends it, since that was the last one that the place lacked', () => {
  const size = new BatchSize(500)
  size.out()
  size.taken(31, 1)
  expect(size.entries).toBe(500)
})

test('a limit below the first batch stands', () => {
  const size = new BatchSize(10)
  size.out()
  expect(size.entries).toBe(10)
  size.taken(10, 100)
  expect(size.entries).toBe(10)
})
