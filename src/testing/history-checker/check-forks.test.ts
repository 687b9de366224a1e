// Goal: the checker finds forks that lack what they share or show what came later, cuts that cut too little, and
// content that is lost or changed; and nothing where the promises are kept.
import { expect, test } from 'vitest'
import { checkHistory } from './check-history.ts'
import type {
  AppendRecord,
  BranchRecord,
  DownloadRecord,
  ForkRecord,
  HistoryRecord,
  ReadRecord,
  ShownMessage,
  TruncateRecord,
  UploadRecord,
  Write,
} from './history.ts'

const BASE = { client: 'a', process: 'p', incarnation: 0, conversation: 'c' } as const
const COPIES = { outcome: 'ok', copies: ['primary', 'wal'] } as const
const MARK = { outcome: 'ok', complete: true, final: false } as const

function at(startMs: number): typeof BASE & { startMs: number; settledMs: number } {
  return { ...BASE, startMs, settledMs: startMs + 5 }
}

function said(n: number): ShownMessage {
  return {
    id: `m${n}`,
    content: `said ${n}`,
    position: `00000000-0000-7000-8000-00000000000${n}` as never,
  }
}

function append(n: number): AppendRecord {
  return { kind: 'append', ...at(n * 10), ...COPIES, ...said(n) }
}

function fork(shown: readonly ShownMessage[], startMs = 100): ForkRecord {
  const named = { fork: 'f', id: shown.at(-1)!.id, shown, readMs: startMs + 1 }
  return { kind: 'fork', ...at(startMs), ...COPIES, ...named }
}

function branch(messages: readonly ShownMessage[], startMs = 200): BranchRecord {
  return { kind: 'branch', ...at(startMs), ...MARK, fork: 'f', messages }
}

function cut(seen: readonly string[], isCertain = true): TruncateRecord {
  return { kind: 'truncate', ...at(150), ...COPIES, id: seen[0]!, seen, isCertain }
}

function read(messages: readonly ShownMessage[]): ReadRecord {
  return { kind: 'read', ...at(200), ...MARK, messages, paged: false }
}

function kinds(...records: readonly HistoryRecord[]): readonly string[] {
  const options = { clockToleranceMs: 0, deadlineMs: 1_000 }
  return checkHistory({ records }, options).map(({ kind }) => kind)
}

const SAVED = [append(1), append(2), append(3)]
const TWO = [said(1), said(2)]

test('a fork shows what its conversation showed, whatever becomes of that', () => {
  expect(kinds(...SAVED, fork(TWO), branch(TWO))).toEqual([])
  expect(kinds(...SAVED, fork(TWO), cut(['m1', 'm2', 'm3']), branch(TWO))).toEqual([])
  const edit = { kind: 'edit', ...at(150), ...COPIES, id: 'm1', content: 'edited' } as const
  expect(kinds(...SAVED, fork(TWO), edit, branch(TWO))).toEqual([])
  expect(
    kinds(...SAVED, fork(TWO), edit, branch([{ ...said(1), content: 'edited' }, said(2)])),
  ).toEqual(['fork'])
})

test('a fork that lacks a message, has one too many, twice, or in another order', () => {
  expect(kinds(...SAVED, fork(TWO), branch([said(2)]))).toEqual(['fork'])
  expect(kinds(...SAVED, fork(TWO), branch([said(1), said(2), said(3)]))).toEqual(['fork'])
  expect(kinds(...SAVED, fork(TWO), branch([said(1), said(1), said(2)]))).toContain('fork')
  expect(kinds(...SAVED, fork(TWO), branch([said(2), said(1)]))).toEqual(['fork'])
  expect(
    kinds(...SAVED, fork(TWO), branch([...TWO, { ...said(4), position: said(1).position! }])),
  ).toEqual(['fork'])
})

test('a fork that was refused, or of a message that changed while it was made', () => {
  const refused = { ...fork(TWO), outcome: 'none', copies: [] } as const
  expect(kinds(...SAVED, refused, branch(TWO))).toEqual(['fork'])
  expect(kinds(...SAVED, refused, branch([]))).toEqual([])
  const during: Write = { kind: 'remove', ...at(102), ...COPIES, id: 'm1' }
  expect(kinds(...SAVED, fork(TWO), during, branch([said(2)]))).toEqual([])
  // Another process that could not see it.
  const unseen: Write = { ...during, ...at(150), process: 'q', copies: ['backup'] }
  expect(kinds(...SAVED, fork(TWO), unseen, branch([said(2)]))).toEqual([])
})

test('a cut takes what it saw, and nothing before it', () => {
  expect(kinds(...SAVED, cut(['m2', 'm3']), read([said(1)]))).toEqual([])
  expect(kinds(...SAVED, cut(['m2', 'm3']), read([said(1), said(3)]))).toEqual(['zombie'])
  expect(kinds(...SAVED, cut(['m2', 'm3'], false), read([said(1), said(3)]))).toEqual([])
  const early = { ...cut(['m1', 'm2', 'm3']), outcome: 'none', copies: [] } as const
  expect(kinds(...SAVED, early, read([]))).toEqual(['lost', 'lost', 'lost'])
})

function upload(outcome: 'ok' | 'none' = 'ok'): UploadRecord {
  const copies = outcome === 'ok' ? COPIES.copies : []
  return { kind: 'upload', ...at(100), outcome, copies, name: 'x', usedBy: 'said 1' }
}

function download(found: DownloadRecord['found'], isCleaned = false): DownloadRecord {
  return { kind: 'download', ...at(200), ...MARK, name: 'x', found, isCleaned }
}

test('content is what was saved, and is there', () => {
  expect(kinds(upload(), download('whole'))).toEqual([])
  expect(kinds(upload(), download('other'))).toEqual(['content'])
  expect(kinds(upload(), download('absent'))).toEqual(['content'])
  expect(kinds(upload('none'), download('whole'))).toEqual(['content'])
  expect(kinds(upload('none'), download('absent'))).toEqual([])
})

test('of what nothing refers to, content that a message at the end refers to stays', () => {
  const final = { ...read([said(1)]), final: true }
  expect(kinds(append(1), upload(), download('absent', true))).toEqual([])
  expect(kinds(append(1), upload(), final, download('absent', true))).toEqual(['content'])
})
