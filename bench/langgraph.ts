/*
 * The saver for LangGraph beside the framework's own for PostgreSQL, on one server, interleaved, each in a process and
 * a database of its own: puts, writes, the latest checkpoint, and removing threads. `STEPS`, `REMOVED`, `ROUNDS`.
 *
 *   npm run bench langgraph
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { startPostgres } from '../test/support/postgres-server.ts'
import { compare, median, SAMPLE_SECONDS, type Measured, type Row } from './support/measure.ts'
import { inOwnProcess } from './support/own-process.ts'
import { loadPeers } from './support/peer.ts'
import { report } from './support/report.ts'
import { SETTINGS } from './subjects/checkpoints.ts'
import type * as checkpoints from './subjects/checkpoints.ts'

const ROUNDS = Number(process.env['ROUNDS'] ?? 5)
const STEPS = Number(process.env['STEPS'] ?? 300)
const REMOVED = Number(process.env['REMOVED'] ?? 15)
const PACKAGE = '@langchain/langgraph-checkpoint-postgres'
const SUBJECTS = new URL('./subjects/checkpoints.js', import.meta.url)

const server = await startPostgres()
const scratch = await mkdtemp(join(tmpdir(), 'everthread-bench-'))

async function opened(factory: keyof typeof checkpoints, target: object): Promise<Measured[]> {
  const more = { directory: scratch, removed: REMOVED, steps: STEPS }
  return await inOwnProcess(SUBJECTS, factory, { ...target, ...more })
}

async function database(): Promise<string> {
  const admin = new pg.Client(server.url)
  await admin.connect()
  await admin.query('CREATE DATABASE peer')
  await admin.end()
  return Object.assign(new URL(server.url), { pathname: '/peer' }).href
}

/** The time of one removal each, in turn; the first one of each is not counted. Milliseconds. */
async function removals(ours: Measured, theirs: Measured): Promise<Record<string, number>> {
  const times: [number[], number[]] = [[], []]
  for (let i = 0; i < REMOVED; i++) {
    for (const [own, subject] of [theirs, ours].entries()) {
      const { p50 } = await subject.sample(i, 1, { operations: 1 })
      if (i > 0) times[own]!.push(p50)
    }
  }
  const [theirMs, ourMs] = [median(times[0]), median(times[1])]
  return { removalMs: ourMs, theirRemovalMs: theirMs, removalRatio: ourMs / theirMs }
}

const closing: Measured[] = []
try {
  const { peers, leftOut } = await loadPeers()
  const peer = peers.find(({ packages }) => packages[0] === PACKAGE)
  if (peer === undefined) throw new Error(`${PACKAGE} is missing: ${JSON.stringify(leftOut)}`)
  const theirs = await opened('postgresSaver', { url: await database(), file: peer.file })
  closing.push(theirs[0]!)
  const ours = await opened('everthread', { url: server.url, file: peer.file })
  closing.push(ours[0]!)
  const rows: Row[] = []
  for (const concurrency of [1, 16]) {
    for (const i of [0, 1, 2]) {
      rows.push(...(await compare([theirs[i]!, ours[i]!], concurrency, ROUNDS)))
    }
  }
  const figures = await removals(ours[3]!, theirs[3]!)
  const { version } = peer
  await report('langgraph', {
    rows,
    figures,
    settings: { rounds: ROUNDS, steps: STEPS, removed: REMOVED, version, ...SETTINGS },
  })
  console.log(`sample of ${SAMPLE_SECONDS} s; p50 as a multiple of PostgresSaver's:`)
  for (const row of rows.filter(({ name }) => name.startsWith('Everthread'))) {
    console.log(`${row.concurrency}\t${row.name}\t${row.p50Ratio.toFixed(2)}`)
  }
} finally {
  for (const subject of closing) await subject.close()
  await server.stop()
  await rm(scratch, { recursive: true, force: true })
}
// What was measured is on disk; the peer may keep timers.
process.exit()
