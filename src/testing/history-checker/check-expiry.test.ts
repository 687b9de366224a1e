import { expect, test } from 'vitest'
import { checkHistory } from './check-history.ts'
import type { GetRecord, HistoryRecord, SetRecord } from './history.ts'

const BASE = { client: 'a', process: 'p', incarnation: 0, conversation: 'c' } as const

function set(content: string, startMs: number, expiresMs?: number): SetRecord {
  const life = expiresMs === undefined ? {} : { expiresMs }
  const settledMs = startMs + 5
  const copies = ['primary', 'wal'] as const
  return { kind: 'set', ...BASE, startMs, settledMs, outcome: 'ok', content, copies, ...life }
}

function get(content: string | undefined, startMs: number): GetRecord {
  const mark = { complete: true, final: false }
  return { kind: 'get', ...BASE, startMs, settledMs: startMs + 5, outcome: 'ok', content, ...mark }
}

function kinds(...records: readonly HistoryRecord[]): readonly string[] {
  const options = { clockToleranceMs: 10, deadlineMs: 1_000 }
  return checkHistory({ records }, options).map(({ kind }) => kind)
}

test('a value is shown until it expires, and by clocks that differ a little longer', () => {
  expect(kinds(set('v', 0, 100), get('v', 50), get('v', 105))).toEqual([])
  expect(kinds(set('v', 0, 100), get('v', 200))).toEqual(['expired'])
  expect(kinds(set('v', 0, -5_000), get('v', 10))).toEqual(['expired'])
})

test('one that expired may be gone, and one that stays may not', () => {
  expect(kinds(set('v', 0, 100), get(undefined, 100))).toEqual([])
  expect(kinds(set('v', 0, 10_000), get(undefined, 100))).toEqual(['set-lost'])
  expect(kinds(set('v', 0), get(undefined, 100))).toEqual(['set-lost'])
})

test('what expired before takes nothing along that was set after it', () => {
  expect(kinds(set('old', 0, 50), set('new', 60), get('new', 100))).toEqual([])
  expect(kinds(set('old', 0, 50), set('new', 60), get(undefined, 100))).toEqual(['set-lost'])
  // Of two at once nobody knows which is the later one.
  expect(kinds(set('one', 60, 80), set('other', 61), get(undefined, 100))).toEqual([])
})
