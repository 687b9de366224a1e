// Goal: the checker finds a history that breaks each rule about records, and nothing in one that keeps them.
import { expect, test } from 'vitest'
import { checkHistory } from './check-history.ts'
import type { RecordCall, RecordRead, RecordWrite } from './history.ts'

const BASE = { client: 'a', process: 'p', incarnation: 0, conversation: 'r' } as const

function write(
  kind: RecordWrite['kind'],
  startMs: number,
  fields?: RecordWrite['fields'],
  outcome: RecordWrite['outcome'] = 'ok',
): RecordWrite {
  const copies = outcome === 'ok' ? { copies: ['primary', 'wal'] as const } : {}
  const set = fields === undefined ? {} : { fields }
  return { kind, ...BASE, startMs, settledMs: startMs + 5, outcome, ...copies, ...set }
}

function read(
  startMs: number,
  fields: RecordRead['fields'],
  isListed = fields !== undefined,
): RecordRead {
  const mark = { complete: true, final: false, outcome: 'ok' } as const
  return { kind: 'record', ...BASE, ...mark, startMs, settledMs: startMs + 5, fields, isListed }
}

function kinds(...recordCalls: readonly RecordCall[]): readonly string[] {
  const options = { clockToleranceMs: 0, deadlineMs: 1_000 }
  return checkHistory({ records: [], recordCalls }, options).map(({ kind }) => kind)
}

const CREATED = write('create', 0, { title: 'one' })
const DELETED = write('delete', 20)

test('a record is there from its creation to its deletion', () => {
  const changed = write('update', 20, { title: 'two' })
  expect(kinds(CREATED, read(10, { title: 'one' }))).toEqual([])
  expect(kinds(CREATED, changed, read(30, { title: 'two' }))).toEqual([])
  expect(kinds(CREATED, DELETED, read(30, undefined))).toEqual([])
  expect(
    kinds(CREATED, DELETED, write('create', 40, { title: 'three' }), read(50, { title: 'three' })),
  ).toEqual([])
})

test('one that was created and is not shown, or not listed', () => {
  expect(kinds(CREATED, read(10, undefined))).toEqual(['record', 'record'])
  expect(kinds(CREATED, read(10, { title: 'one' }, false))).toEqual(['record'])
  // One that may have deleted it had begun, or the creation may not have happened.
  expect(kinds(CREATED, write('delete', 8, undefined, 'unknown'), read(10, undefined))).toEqual([])
  expect(kinds(write('create', 0, { title: 'one' }, 'unknown'), read(10, undefined))).toEqual([])
})

test('one that was deleted and is shown, or listed', () => {
  expect(kinds(CREATED, DELETED, read(30, { title: 'one' }))).toContain('record-zombie')
  expect(kinds(CREATED, DELETED, read(30, undefined, true))).toEqual(['record-zombie'])
  expect(
    kinds(CREATED, write('delete', 20, undefined, 'none'), read(30, { title: 'one' })),
  ).toEqual([])
  const again = write('create', 25, { title: 'two' }, 'unknown')
  expect(kinds(CREATED, DELETED, again, read(40, { title: 'two' }))).toEqual([])
})

test('a field that has an earlier value, or none', () => {
  const title = write('update', 20, { title: 'two' })
  const x = write('update', 20, { x: '1' })
  expect(kinds(CREATED, title, read(30, { title: 'one' }))).toEqual(['field'])
  expect(kinds(CREATED, x, read(30, { title: 'one' }))).toEqual(['field'])
  expect(kinds(CREATED, x, read(30, { title: 'one', x: '1' }))).toEqual([])
  // Of two at once either may be the later one.
  const other = write('update', 22, { title: 'three' })
  expect(kinds(CREATED, title, other, read(40, { title: 'two' }))).toEqual([])
  expect(kinds(CREATED, title, other, read(40, { title: 'three' }))).toEqual([])
})

test('what another process cannot have seen is not judged', () => {
  const elsewhere = { ...read(10, undefined), process: 'q' }
  expect(kinds(CREATED, { ...elsewhere, complete: false })).toEqual([])
  expect(kinds({ ...CREATED, copies: ['wal'] }, elsewhere)).toEqual([])
  expect(kinds(CREATED, elsewhere)).toEqual(['record', 'record'])
  expect(kinds({ ...CREATED, copies: ['wal'] }, { ...elsewhere, final: true })).toEqual([
    'record',
    'record',
  ])
})
