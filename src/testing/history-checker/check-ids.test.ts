import { expect, test } from 'vitest'
import { checkHistory } from './check-history.ts'
import type { AppendRecord, HistoryRecord, ReadRecord } from './history.ts'

const OPTIONS = { clockToleranceMs: 10, deadlineMs: 1_000 }

type Base = Pick<
  AppendRecord,
  'client' | 'process' | 'incarnation' | 'conversation' | 'startMs' | 'settledMs' | 'outcome'
> & { readonly together: boolean; readonly copies: readonly ['primary', 'wal'] }

/** Each call is of another process, and no fault has kept any of them from a database. */
function at(startMs: number): Base {
  return {
    client: `p${startMs}`,
    process: `p${startMs}`,
    incarnation: 0,
    conversation: 'c',
    startMs,
    settledMs: startMs + 5,
    outcome: 'ok',
    together: true,
    copies: ['primary', 'wal'],
  }
}

function save(startMs: number, content: string, position: number): AppendRecord {
  return {
    kind: 'append',
    ...at(startMs),
    id: 'x',
    callersId: true,
    content,
    position: stamp(position),
  }
}

function refused(startMs: number, content: string): AppendRecord {
  const { copies: _copies, ...rest } = at(startMs)
  return { kind: 'append', ...rest, id: 'x', content, outcome: 'none', code: 'CONFLICT' }
}

function clear(startMs: number): HistoryRecord {
  return { kind: 'clear', ...at(startMs) }
}

function remove(startMs: number, position: number): HistoryRecord {
  return { kind: 'remove', ...at(startMs), id: 'x', position: stamp(position) }
}

function edit(startMs: number, content: string, position: number): HistoryRecord {
  return { kind: 'edit', ...at(startMs), id: 'x', content, position: stamp(position) }
}

function read(startMs: number, content?: string, position = 0): ReadRecord {
  const { copies: _copies, ...rest } = at(startMs)
  const shown = content === undefined ? [] : [{ id: 'x', content, position: stamp(position) }]
  const mark = { complete: true, final: false, paged: false }
  return { kind: 'read', ...rest, ...mark, messages: shown }
}

function count(startMs: number, messages: number): HistoryRecord {
  const { copies: _copies, ...rest } = at(startMs)
  return { kind: 'count', ...rest, complete: true, final: false, count: messages }
}

function list(startMs: number, isListed: boolean): HistoryRecord {
  const { copies: _copies, ...rest } = at(startMs)
  return { kind: 'list', ...rest, complete: true, final: false, isListed }
}

function stamp(position: number): NonNullable<AppendRecord['position']> {
  return `01900000-0000-7000-8000-${`${position}`.padStart(12, '0')}` as NonNullable<
    AppendRecord['position']
  >
}

function kinds(...records: readonly HistoryRecord[]): string[] {
  return [...new Set(checkHistory({ records }, OPTIONS).map(({ kind }) => kind))]
}

test('a repeat is the message that stands', () => {
  expect(kinds(save(0, 'a', 1), save(10, 'a', 1), read(20, 'a', 1))).toEqual([])
  expect(kinds(save(0, 'a', 1), save(10, 'a', 2))).toEqual(['moved'])
})

test('a process that was cut off may have put it elsewhere at the same moment, and not before', () => {
  const cut = (startMs: number): AppendRecord => ({
    ...save(startMs, 'a', 2),
    together: false,
    copies: ['backup'] as const,
  })
  expect(kinds(save(0, 'a', 1), cut(2), save(10, 'a', 2))).toEqual([])
  expect(kinds(cut(0), save(2, 'a', 3), save(10, 'a', 3))).toEqual([])
  // Nor had it seen what was on its way to it.
  expect(kinds(save(0, 'a', 1), cut(10), save(20, 'a', 2))).toEqual([])
  expect(kinds(save(10, 'a', 1), cut(0), save(20, 'a', 2))).toEqual(['moved'])
})

test('of two contents under one id only one is acknowledged, also at the same moment', () => {
  expect(kinds(save(0, 'a', 1), save(10, 'b', 2))).toEqual(['unique'])
  expect(kinds(save(0, 'a', 1), save(3, 'b', 2))).toEqual(['unique'])
  expect(kinds(save(0, 'a', 1), clear(10), save(20, 'b', 2))).toEqual([])
})

test('what two databases took at the same moment may be repeated at either', () => {
  const cut = { ...save(2, 'b', 2), together: false, copies: ['backup', 'wal'] as const }
  expect(kinds(save(0, 'a', 1), cut, save(20, 'a', 1))).toEqual([])
  expect(kinds(save(0, 'a', 1), cut, save(20, 'b', 2))).toEqual([])
  // Nobody had saved it by then: this one was told of the other.
  expect(kinds(save(0, 'a', 1), cut, save(20, 'c', 3))).toEqual(['unique'])
  expect(kinds(save(10, 'a', 1), { ...cut, startMs: 0, settledMs: 5 })).toEqual(['unique'])
})

test('who may have been kept from a database is excused', () => {
  const apart = { ...save(10, 'b', 2), together: false, copies: ['backup', 'wal'] as const }
  expect(kinds(save(0, 'a', 1), apart)).toEqual([])
  expect(kinds(save(0, 'a', 1), { ...apart, copies: ['primary', 'wal'] })).toEqual(['unique'])
})

test('after a clear an id is new: shown, and behind what was cleared', () => {
  expect(kinds(save(0, 'a', 1), clear(10), save(20, 'a', 2), read(30, 'a', 2))).toEqual([])
  expect(kinds(save(0, 'a', 1), clear(10), save(20, 'a', 1))).toEqual(['not-free'])
  expect(kinds(save(0, 'a', 1), clear(10), save(20, 'a', 2), read(30))).toEqual(['lost'])
})

test('who could not know of a clear may repeat what it took, and nobody else', () => {
  const apart = { together: false, copies: ['backup', 'wal'] } as const
  const missed = { ...save(40, 'a', 1), together: false }
  const cleared = [save(0, 'a', 1), { ...at(10), kind: 'clear', ...apart } as HistoryRecord]
  expect(kinds(...cleared, missed, save(60, 'b', 2))).toEqual([])
  // A save of its own is behind the clear, and both are there.
  expect(kinds(...cleared, { ...missed, position: stamp(2) }, save(60, 'b', 3))).toEqual(['unique'])
})

test('a removed id is taken until it is cleared', () => {
  expect(kinds(save(0, 'a', 1), remove(10, 1), refused(20, 'a'))).toEqual([])
  expect(kinds(save(0, 'a', 1), remove(10, 1), save(20, 'b', 2))).toEqual(['not-free'])
})

test('a shared log alone does not know which ids were removed, and a removal stays', () => {
  const logged = { ...save(20, 'a', 2), together: false, copies: ['wal'] as const }
  const own = { ...read(30), process: logged.process }
  const history = [save(0, 'a', 1), remove(10, 1), logged, own]
  const places = { primary: '', backup: '' }
  const options = { ...OPTIONS, sharedLog: true, sequencer: true }
  expect(checkHistory({ records: history, places, leftovers: [] }, options)).toEqual([])
})

test('CONFLICT needs something else that stands', () => {
  expect(kinds(save(0, 'a', 1), refused(10, 'b'))).toEqual([])
  expect(kinds(save(0, 'a', 1), refused(10, 'a'))).toEqual(['refused'])
  expect(kinds(save(0, 'a', 1), clear(10), refused(20, 'b'))).toEqual(['refused'])
})

test('an edit that met a clear does not come back with the next message of the id', () => {
  const met = [save(0, 'a', 1), clear(10), edit(12, 'e', 1), save(20, 'b', 2)]
  expect(kinds(...met, read(30, 'b', 2))).toEqual([])
  expect(kinds(...met, read(30, 'e', 2))).toEqual(['zombie'])
})

test('an acknowledged edit is shown, also of an id that was used before', () => {
  const used = [save(0, 'a', 1), clear(10), save(20, 'a', 2), edit(30, 'e', 2)]
  expect(kinds(...used, read(40, 'e', 2))).toEqual([])
  expect(kinds(...used, read(40, 'a', 2))).toEqual(['edit-lost'])
})

test('NOT_FOUND is said of nothing that stands', () => {
  const missed = { ...edit(10, 'e', 1), outcome: 'none', code: 'NOT_FOUND' } as const
  expect(kinds(save(0, 'a', 1), missed)).toEqual(['not-found'])
  expect(kinds(save(0, 'a', 1), clear(6), missed)).toEqual([])
})

test('a message does not change its place', () => {
  expect(kinds(save(0, 'a', 1), read(10, 'a', 2))).toContain('moved')
})

test('counts and lists say what a read would show', () => {
  expect(kinds(save(0, 'a', 1), count(10, 1), list(10, true))).toEqual([])
  expect(kinds(save(0, 'a', 1), count(10, 0))).toEqual(['count'])
  expect(kinds(save(0, 'a', 1), count(10, 2))).toEqual(['count'])
  expect(kinds(save(0, 'a', 1), list(10, false))).toEqual(['listed'])
  expect(kinds(save(0, 'a', 1), clear(10), list(20, true), count(30, 0))).toEqual(['listed'])
})
