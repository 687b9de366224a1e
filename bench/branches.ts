/*
 * What a fork costs by the length of the conversation, and what reading one costs beside a conversation that is
 * none, on two SQLite files. Interleaved in one run. Writes bench/results/branches.json.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openChatHistory, type ChatHistory } from '../src/index.ts'
import type { Goal } from './support/goal.ts'
import { interleave, type Case } from './support/interleave.ts'
import { sample } from './support/measure.ts'
import { report } from './support/report.ts'

const ROUNDS = Number(process.env['ROUNDS'] ?? 7)
const COUNT = Number(process.env['COUNT'] ?? 100)
const LONG = Number(process.env['LONG'] ?? 100_000)
const SHORT = 10
const PAGE = 50
/** A fork of a short conversation costs this much less at most. */
const FORK_RATIO_MAX = 2

const scratch = await mkdtemp(join(tmpdir(), 'everthread-bench-'))
const history = await openChatHistory({
  primary: `sqlite:${join(scratch, 'primary.db')}`,
  backup: `sqlite:${join(scratch, 'backup.db')}`,
  wal: `file:${join(scratch, 'wal')}`,
  reconcile: { interval: 3_600_000 },
})

async function fill(store: ChatHistory, id: string, length: number): Promise<void> {
  for (let from = 0; from < length; from += 1000) {
    const count = Math.min(1000, length - from)
    const messages = Array.from({ length: count }, (_, i) => {
      return { role: 'user', content: `said ${from + i}` } as const
    })
    await store.saveMessages(id, messages)
  }
}

function caseOf(name: string, run: () => Promise<unknown>): Case {
  const subject = { name, promise: '', run, close: async () => {} }
  return {
    name,
    promise: '',
    concurrency: 1,
    measure: (round) => sample(subject, round, 1, { operations: COUNT }),
  }
}

const names = {
  short: `fork of ${SHORT} messages`,
  long: `fork of ${LONG} messages`,
  own: `getHistory, ${PAGE} messages of its own`,
  seam: `getHistory, ${PAGE} messages, half of them shared`,
  shared: `getHistory, ${PAGE} shared messages`,
}

try {
  await fill(history, 'short', SHORT)
  await fill(history, 'long', LONG)
  await history.flush()
  await history.fork('long', { as: 'shared' })
  await history.fork('long', { as: 'seam' })
  await fill(history, 'seam', PAGE / 2)
  const page = (id: string) => async (): Promise<void> => {
    const { messages } = await history.getHistory(id, { limit: PAGE })
    if (messages.length !== PAGE) throw new Error(`${id} has ${messages.length} messages`)
  }
  const forks = [
    caseOf(names.short, () => history.fork('short')),
    caseOf(names.long, () => history.fork('long')),
  ]
  const reads = [
    caseOf(names.own, page('long')),
    caseOf(names.seam, page('seam')),
    caseOf(names.shared, page('shared')),
  ]
  const rows = [...(await interleave(forks, ROUNDS)), ...(await interleave(reads, ROUNDS))]
  const p50 = (name: string): number => rows.find((row) => row.name === name)!.p50
  const goals: Goal[] = [
    {
      number: 'C4',
      measure: `${names.long} / ${names.short}, p50`,
      atMost: FORK_RATIO_MAX,
      value: p50(names.long) / p50(names.short),
    },
  ]
  await report('branches', { rows, goals, settings: { rounds: ROUNDS, count: COUNT } })
} finally {
  await history.close()
  await rm(scratch, { recursive: true, force: true })
}
