/*
 * Saves to PostgreSQL: raw single inserts of the driver against the write strategies, all on this
 * machine and one disk, interleaved in one run. Prints a table and writes bench/results/save.json.
 *
 *   npm run bench            rounds and counts for a first look
 *   ROUNDS=7 COUNT=6000 npm run bench
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { openChatHistory } from '../src/index.ts'
import { startPostgres } from '../test/support/postgres-server.ts'
import { compare, type Row, type Subject } from './support/measure.ts'
import { report } from './support/report.ts'

const ROUNDS = Number(process.env['ROUNDS'] ?? 3)
const COUNT = Number(process.env['COUNT'] ?? 3000)
const CONVERSATIONS = 100
const BODY = {
  role: 'assistant',
  content: 'The flight leaves at nine and arrives at noon. '.repeat(12),
} as const

const server = await startPostgres()
const scratch = await mkdtemp(join(tmpdir(), 'everthread-bench-'))

async function raw(): Promise<Subject> {
  const pool = new pg.Pool({ connectionString: server.url, max: 16 })
  pool.on('error', () => {})
  await pool.query(
    'CREATE TABLE raw_messages (id bigserial PRIMARY KEY, conversation text, at timestamptz DEFAULT now(), body text)',
  )
  await pool.query('CREATE INDEX ON raw_messages (conversation, id)')
  return {
    name: 'raw pg, single inserts, pool of 16',
    promise: 'primary',
    run: (_round, i) =>
      pool.query({
        name: 'insert',
        text: 'INSERT INTO raw_messages (conversation, body) VALUES ($1, $2)',
        values: [`c${i % CONVERSATIONS}`, JSON.stringify(BODY)],
      }),
    close: () => pool.end(),
  }
}

async function everthread(write: 'idempotent' | 'wal-first' | 'dual-write'): Promise<Subject> {
  const admin = new pg.Client(server.url)
  const database = `bench_${write.replace('-', '_')}`
  await admin.connect()
  await admin.query(`CREATE DATABASE ${database}`)
  await admin.end()
  const url = new URL(server.url)
  url.pathname = `/${database}`
  const history = await openChatHistory({
    primary: url.href,
    backup: `sqlite:${join(scratch, `${write}.db`)}`,
    wal: `file:${join(scratch, write)}`,
    write,
  })
  return {
    name: `everthread ${write}`,
    promise: { idempotent: 'primary + wal', 'wal-first': 'wal', 'dual-write': 'primary + backup' }[
      write
    ],
    run: (_round, i) => history.saveMessage(`c${i % CONVERSATIONS}`, BODY),
    close: () => history.close(),
  }
}

const subjects = [
  await raw(),
  await everthread('idempotent'),
  await everthread('wal-first'),
  await everthread('dual-write'),
]
try {
  const rows: Row[] = []
  for (const concurrency of [1, 16, 64, 256]) {
    const count = concurrency === 1 ? Math.ceil(COUNT / 4) : COUNT
    rows.push(...(await compare(subjects, concurrency, count, ROUNDS)))
  }
  await report('save', {
    rows,
    settings: { rounds: ROUNDS, count: COUNT, conversations: CONVERSATIONS },
  })
} finally {
  for (const subject of subjects) await subject.close()
  await server.stop()
  await rm(scratch, { recursive: true, force: true })
}
