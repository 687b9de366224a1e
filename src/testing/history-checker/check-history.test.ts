import { expect, test } from 'vitest'
import type { Stamp } from '../../core/stamp.ts'
import { checkHistory } from './check-history.ts'
import type {
  AppendRecord,
  CheckOptions,
  ClearRecord,
  History,
  HistoryRecord,
  ReadRecord,
  Violation,
} from './history.ts'

const OPTIONS: CheckOptions = { clockToleranceMs: 10, deadlineMs: 1_000 }

type Given<R> = Partial<R> & { readonly startMs: number }

function base(
  startMs: number,
): Pick<
  AppendRecord,
  'client' | 'process' | 'incarnation' | 'conversation' | 'startMs' | 'settledMs' | 'outcome'
> {
  const settledMs = startMs + 5
  return {
    client: 'a',
    process: 'p',
    incarnation: 0,
    conversation: 'c',
    startMs,
    settledMs,
    outcome: 'ok',
  }
}

/** Saved under an id and at a position that follow from the content. */
function append(content: string, given: Given<AppendRecord>): AppendRecord {
  const position = stamp(content)
  return {
    kind: 'append',
    ...base(given.startMs),
    content,
    id: position,
    position,
    copies: ['primary', 'wal'],
    ...given,
  }
}

function clear(given: Given<ClearRecord>): ClearRecord {
  return { kind: 'clear', ...base(given.startMs), copies: ['primary', 'backup'], ...given }
}

function read(contents: readonly string[], given: Given<ReadRecord>): ReadRecord {
  return {
    kind: 'read',
    ...base(given.startMs),
    messages: contents.map((content) => ({ id: stamp(content), content })),
    complete: true,
    paged: false,
    final: false,
    ...given,
  }
}

function stamp(content: string): Stamp {
  return `01900000-0000-7000-8000-${content.padStart(12, '0')}` as Stamp
}

function kinds(records: readonly HistoryRecord[], rest: Partial<History> = {}): string[] {
  const found: Violation[] = checkHistory({ records, ...rest }, OPTIONS)
  return [...new Set(found.map(({ kind }) => kind))]
}

const one = append('1', { startMs: 0 })
const two = append('2', { startMs: 10 })

test('a history that keeps the promises has no violation', () => {
  const gone = append('3', { startMs: 200, outcome: 'unknown' })
  expect(
    kinds([
      one,
      two,
      read(['1', '2'], { startMs: 20 }),
      gone,
      clear({ startMs: 300 }),
      read([], { startMs: 320 }),
    ]),
  ).toEqual([])
})

test('an acknowledged message that the same process does not read is lost', () => {
  expect(kinds([one, two, read(['1'], { startMs: 20 })])).toEqual(['lost'])
})

test('other processes are judged in complete reads, from the moment of the acknowledgement', () => {
  const other = { process: 'q', client: 'b' }
  expect(kinds([one, read([], { startMs: 4, ...other })])).toEqual([])
  expect(kinds([one, read([], { startMs: 5, complete: false, ...other })])).toEqual([])
  expect(kinds([one, read([], { startMs: 5, ...other })])).toEqual(['lost'])
  const local = append('1', { startMs: 0, copies: ['wal'] })
  expect(kinds([local, read([], { startMs: 500, ...other })])).toEqual([])
  expect(kinds([local, read([], { startMs: 500, final: true, ...other })])).toEqual(['lost'])
})

test('what one copy held may be gone with a lost disk, what two held may not', () => {
  const single = append('2', { startMs: 10, copies: ['primary'] })
  const records = [one, single, read([], { startMs: 900, final: true })]
  const found = checkHistory({ records }, { ...OPTIONS, lostDisk: true })
  expect(found.map(({ text }) => text)).toEqual([expect.stringContaining('1 is not in')])
})

test('a message that is shown twice, and one that nobody wrote, are violations', () => {
  expect(kinds([one, read(['1', '1'], { startMs: 20 })])).toEqual(['duplicate'])
  expect(kinds([one, read(['1', '7'], { startMs: 20 })])).toEqual(['garbage'])
})

test('a save that was refused without effect must never be seen', () => {
  const refused = append('2', { startMs: 10, outcome: 'none' })
  expect(kinds([one, refused, read(['1', '2'], { startMs: 20 })])).toEqual(['garbage'])
})

// Found by the simulation: the answer of the place that made it was lost, and its clock was an hour ahead.
test('what stands where no save was told is before a clear by clocks alone', () => {
  const shown = [{ id: one.id!, content: '1', position: stamp('9') }]
  const found = (clearedMs: number): string[] =>
    kinds([
      one,
      append('1', { startMs: 1 }),
      clear({ startMs: clearedMs }),
      read([], { startMs: 30, messages: shown }),
    ])
  expect(found(8)).toEqual([])
  expect(found(20)).toContain('zombie')
})

test('what was cleared comes back as a zombie', () => {
  expect(kinds([one, clear({ startMs: 100 }), read(['1'], { startMs: 200 })])).toEqual(['zombie'])
})

test('what a complete read of a process showed to be cleared does not come back to it', () => {
  const gone = append('1', { startMs: 0, outcome: 'ok' })
  // Nobody knows whether the clear happened, but for the read that shows that it did.
  const maybe = clear({ startMs: 20, outcome: 'unknown' })
  const other = { process: 'q', client: 'b' }
  const empty = read([], { startMs: 300, ...other })
  const old = { startMs: 400, complete: false }
  expect(kinds([gone, maybe, empty, read(['1'], { ...old, ...other })])).toEqual(['zombie'])
  expect(kinds([gone, maybe, empty, read(['1'], { ...old, process: 'r' })])).toEqual([])
})

test('clocks excuse the loss of a save after a clear, but not where one sequencer had both', () => {
  const cleared = clear({ startMs: 0, copies: ['backup', 'wal'] })
  const saved = append('1', { startMs: 8, copies: ['wal'] })
  const records = [cleared, saved, read([], { startMs: 20, final: true })]
  const lost = (options: Partial<CheckOptions>): readonly string[] =>
    checkHistory({ records }, { ...OPTIONS, sharedLog: true, ...options }).map(({ kind }) => kind)
  expect(lost({})).toEqual([])
  expect(lost({ sequencer: true })).toEqual(['lost'])
})

test('one sequencer that had both decides, whichever databases they reached beside it', () => {
  const cleared = clear({ startMs: 0, copies: ['backup', 'wal'] })
  const lost = (saved: Partial<AppendRecord>): readonly string[] =>
    checkHistory(
      {
        records: [
          cleared,
          append('1', { startMs: 8, ...saved }),
          read([], { startMs: 20, final: true }),
        ],
      },
      { ...OPTIONS, sharedLog: true, sequencer: true },
    ).map(({ kind }) => kind)
  expect(lost({ copies: ['primary', 'wal'] })).toEqual(['lost'])
  expect(lost({ copies: ['primary', 'wal'], callersId: true })).toEqual([])
  expect(lost({ copies: ['primary', 'backup'] })).toEqual(['lost'])
  expect(lost({ copies: ['primary'] })).toEqual([])
})

test('clocks excuse a clear only where no database decided both', () => {
  const near = 8
  const apart = { copies: ['backup', 'wal'] as const, process: 'q' }
  const seen = read(['1'], { startMs: 200 })
  expect(kinds([one, clear({ startMs: near, ...apart }), seen])).toEqual([])
  expect(kinds([one, clear({ startMs: near }), seen])).toEqual(['zombie'])
})

test('two reads that disagree about the order of two messages do not fit one order', () => {
  const other = { process: 'q', client: 'b' }
  const records = [
    one,
    two,
    read(['1', '2'], { startMs: 20 }),
    read(['2', '1'], { startMs: 900, ...other }),
  ]
  expect(kinds(records)).toEqual(['order'])
})

test('a message must stand after what its process knew', () => {
  expect(kinds([append('5', { startMs: 0 }), append('4', { startMs: 50 })])).toEqual([
    'session-order',
  ])
})

test('an older content in place of a newer one is a lost edit', () => {
  const edit = {
    kind: 'edit',
    ...base(50),
    id: stamp('1'),
    content: '1b',
    copies: ['primary', 'wal'],
  } as const
  expect(kinds([one, edit, read(['1'], { startMs: 100 })])).toEqual(['edit-lost'])
})

test('a part of a group is not shown without the rest', () => {
  const group = [
    append('1', { startMs: 0, group: 'g', outcome: 'unknown' }),
    append('2', { startMs: 0, group: 'g', outcome: 'unknown' }),
  ]
  expect(kinds([...group, read(['1'], { startMs: 100 })])).toEqual(['torn'])
})

test('a call beyond its deadline, an empty receipt and databases that differ are violations', () => {
  expect(kinds([append('1', { startMs: 0, settledMs: 2_001 })])).toEqual(['late'])
  expect(kinds([append('1', { startMs: 0, copies: [] })])).toEqual(['receipt'])
  expect(kinds([], { places: { primary: 'x', backup: 'y' }, leftovers: ['a hint'] })).toEqual([
    'diverged',
    'leftover',
  ])
})

test('a history of a hundred thousand calls is checked within seconds', () => {
  const records: HistoryRecord[] = []
  for (let i = 0; i < 50_000; i++) {
    records.push(append(`${i}`, { startMs: i * 20 }))
    if (i % 100 === 99) records.push(clear({ startMs: i * 20 + 8 }))
    else
      records.push(
        read(i % 100 === 0 ? [`${i}`] : [`${i - 1}`, `${i}`].slice(i % 100 === 1 ? 0 : 2), {
          startMs: i * 20 + 8,
          complete: false,
          process: 'q',
        }),
      )
  }
  expect(kinds(records)).toEqual([])
})
