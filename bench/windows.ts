/*
 * What a context window costs beside a page of the same length, on SQLite: of plain messages, and where every
 * second turn calls tools. Interleaved in one run. Prints a table and writes bench/results/windows.json.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openChatHistory, type NewMessage } from '../src/index.ts'
import type { Goal } from './support/goal.ts'
import { compare, SAMPLE_SECONDS, type Row } from './support/measure.ts'
import { inOwnProcess } from './support/own-process.ts'
import { report } from './support/report.ts'
import * as windows from './subjects/windows.ts'

const ROUNDS = Number(process.env['ROUNDS'] ?? 7)
const TURNS = Number(process.env['TURNS'] ?? 2_500)
const SUBJECTS = new URL('./subjects/windows.js', import.meta.url)
const TEXT = 'The flight leaves at nine and arrives at noon. '.repeat(12)

const scratch = await mkdtemp(join(tmpdir(), 'everthread-bench-'))

/** Four messages: two of them a tool's, or not. */
function turn(i: number, hasTools: boolean): NewMessage[] {
  const [question, answer] = [
    { role: 'user', content: TEXT },
    { role: 'assistant', content: TEXT },
  ] as const
  if (!hasTools) return [question, answer, question, answer]
  const call = { id: `call-${i}`, name: 'flights' }
  return [
    question,
    { role: 'assistant', content: null, toolCalls: [call] },
    { role: 'tool', content: TEXT, toolCallId: call.id },
    answer,
  ]
}

/** Both conversations begin with a system message. */
async function fill(): Promise<void> {
  const history = await openChatHistory({
    primary: `sqlite:${join(scratch, 'primary.db')}`,
    backup: `sqlite:${join(scratch, 'backup.db')}`,
    wal: `file:${join(scratch, 'wal')}`,
  })
  for (const [id, everyNth] of [
    ['plain', Infinity],
    ['tools', 2],
  ] as const) {
    await history.saveMessage(id, { role: 'system', content: TEXT })
    for (let from = 0; from < TURNS; from += 100) {
      const turns = Array.from({ length: Math.min(100, TURNS - from) }, (_, i) => from + i)
      await history.saveMessages(
        id,
        turns.flatMap((i) => turn(i, i % everyNth === 1)),
      )
    }
  }
  await history.close()
}

function goalsOf(id: string, rows: readonly Row[]): Goal[] {
  const limits = [
    [windows.WINDOW, 1.5],
    [windows.TOKENS, 1.5],
    [windows.SYSTEM, 2.5],
    [windows.ALIGNED, 1.5],
  ] as const
  return limits.map(([name, atMost]) => ({
    number: 'C7',
    measure: `${name} / page, p50, ${id}`,
    atMost,
    value: rows.find((row) => row.name === name)!.p50Ratio,
  }))
}

try {
  await fill()
  const rows: Row[] = []
  const goals: Goal[] = []
  for (const conversation of ['plain', 'tools']) {
    const target: windows.Target = { directory: scratch, conversation }
    const subjects = await inOwnProcess(SUBJECTS, 'reads', target)
    const found = await compare(subjects, 1, ROUNDS)
    for (const subject of subjects) await subject.close()
    goals.push(...goalsOf(conversation, found))
    rows.push(...found.map((row) => ({ ...row, name: `${row.name}, ${conversation}` })))
  }
  await report('windows', {
    rows,
    goals,
    settings: { rounds: ROUNDS, sampleSeconds: SAMPLE_SECONDS, turns: TURNS },
  })
} finally {
  await rm(scratch, { recursive: true, force: true })
}
