// Goal: the checker finds a value that was swapped twice, lost, or read though it was refused, and nothing else.
import { expect, test } from 'vitest'
import { checkHistory } from './check-history.ts'
import type { HistoryRecord, SwapRecord } from './history.ts'

const CALL = {
  client: 'a',
  process: 'p',
  incarnation: 0,
  conversation: 'c',
  startMs: 0,
  settledMs: 1,
}
const OPTIONS = { clockToleranceMs: 0, deadlineMs: 1_000 }

function swap(
  content: string,
  expected: string | undefined,
  outcome: SwapRecord['outcome'],
  byPrimary = true,
): SwapRecord {
  const copies = outcome === 'ok' ? { copies: ['primary'] as const } : {}
  const read = expected === undefined ? {} : { expected }
  return { kind: 'swap', ...CALL, content, ...read, outcome, byPrimary, ...copies }
}

function final(content: string | undefined): HistoryRecord {
  return { kind: 'swapped', ...CALL, content, outcome: 'ok', final: true }
}

function texts(...records: readonly HistoryRecord[]): readonly string[] {
  return checkHistory({ records }, OPTIONS).map(({ kind, text }) => `${kind}: ${text}`)
}

test('a chain of swaps is right, one without an answer in it too', () => {
  const chain = [swap('a', undefined, 'ok'), swap('b', 'a', 'unknown'), swap('c', 'b', 'ok')]
  expect(texts(...chain, swap('d', 'a', 'none'), final('c'))).toEqual([])
  expect(texts(...chain, swap('d', 'c', 'unknown'), final('d'))).toEqual([])
})

test('two that were acknowledged in place of one', () => {
  const found = texts(swap('a', undefined, 'ok'), swap('b', 'a', 'ok'), swap('c', 'a', 'ok'))
  expect(found).toEqual(['swap: a was swapped twice'])
  const first = texts(swap('a', undefined, 'ok'), swap('b', undefined, 'ok'))
  expect(first).toEqual(['swap: nothing was swapped twice'])
})

test('one that was acknowledged and does not stand at the end', () => {
  expect(texts(swap('a', undefined, 'ok'), final(undefined))).toEqual([
    'swap: a was acknowledged, and nothing stands',
  ])
})

test('one that was refused and was read', () => {
  expect(texts(swap('a', undefined, 'none'), final('a'))).toContain(
    'swap: a was refused, and was read',
  )
})

test('where the backup may judge, two that cannot see each other are not judged', () => {
  const pair = [swap('a', undefined, 'ok', false), swap('b', undefined, 'ok', false)]
  expect(texts(...pair, final('b'))).toEqual([])
})
