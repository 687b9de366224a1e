/*
 * The latest 50 messages of a conversation: the raw indexed query of the driver, the store on the
 * database, and the store on a cache in this process and on Redis; interleaved in one run, each in a process of its own, for short
 * and long conversations. Prints a table and writes bench/results/read.json.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { openChatHistory, type ChatHistory, type ChatHistoryOptions } from '../src/index.ts'
import { startPostgres } from '../test/support/postgres-server.ts'
import { startRedis } from '../test/support/redis-server.ts'
import { explained, type Goal } from './support/goal.ts'
import { compare, median, SAMPLE_SECONDS, type Measured, type Row } from './support/measure.ts'
import { inOwnProcess } from './support/own-process.ts'
import { report } from './support/report.ts'
import * as reads from './subjects/reads.ts'

const ROUNDS = Number(process.env['ROUNDS'] ?? 5)
const LENGTHS = (process.env['LENGTHS'] ?? '100,10000,1000000').split(',').map(Number)
const SUBJECTS = new URL('./subjects/reads.js', import.meta.url)
const { RAW, RAW_WHOLE } = reads
const BODY = {
  role: 'assistant',
  content: 'The flight leaves at nine and arrives at noon. '.repeat(12),
} as const

const server = await startPostgres()
const redis = await startRedis()
const scratch = await mkdtemp(join(tmpdir(), 'everthread-bench-'))
const common: ChatHistoryOptions = {
  primary: server.url,
  backup: `sqlite:${join(scratch, 'backup.db')}`,
  // The window of the last minutes has all that was filled in: more than any application saves.
  reconcile: { interval: 3_600_000 },
}

async function fill(history: ChatHistory): Promise<void> {
  for (const length of LENGTHS) {
    for (let from = 0; from < length; from += 500) {
      const chunk = Array.from({ length: Math.min(500, length - from) }, () => BODY)
      await history.saveMessages(`c${length}`, chunk)
    }
  }
  await history.flush()
}

/** The table as an application would make it. Filled once for each length. */
async function fillRaw(length: number): Promise<void> {
  const client = new pg.Client(server.url)
  await client.connect()
  await client.query(
    `CREATE TABLE IF NOT EXISTS raw_messages (id bigserial PRIMARY KEY, conversation text, body text,
       created_at timestamptz DEFAULT now())`,
  )
  await client.query('CREATE INDEX IF NOT EXISTS raw_latest ON raw_messages (conversation, id)')
  await client.query(
    'INSERT INTO raw_messages (conversation, body) SELECT $1, $2 FROM generate_series(1, $3)',
    [`c${length}`, JSON.stringify(BODY), length],
  )
  await client.query('ANALYZE raw_messages')
  await client.end()
}

async function raw(length: number, whole: boolean): Promise<Measured> {
  const parameter: reads.RawRead = { url: server.url, length, whole }
  return (await inOwnProcess(SUBJECTS, 'raw', parameter))[0]!
}

async function store(name: string, length: number, options: ChatHistoryOptions): Promise<Measured> {
  const parameter: reads.StoreRead = {
    name,
    length,
    directory: scratch,
    options: { ...common, ...options },
  }
  return (await inOwnProcess(SUBJECTS, 'store', parameter))[0]!
}

/** Ratios of times at equal concurrency: the inverse of the ratio of rates. */
function goalsOf(rows: readonly Row[]): Goal[] {
  const row = (name: string, length: number): Row =>
    rows.find((each) => each.name === `${name}, ${length} messages`)!
  // The first subject of each length is the store on the database.
  const worst = (name: string): number =>
    Math.max(...LENGTHS.map((length) => 1 / row(name, length).ratio))
  const [shortest, longest] = [LENGTHS[0]!, LENGTHS.at(-1)!]
  const database = 'everthread on the database'
  const overLengths = (of: (length: number) => number): number => median(LENGTHS.map(of))
  const cpuOf = (name: string): number =>
    Math.round(overLengths((length) => row(name, length).cpuUs ?? 0))
  return [
    explained(
      {
        number: 8,
        measure: `latest 50 of ${longest} messages / of ${shortest}, p50`,
        atMost: 1.3,
        value: row(database, longest).p50 / row(database, shortest).p50,
      },
      `the same rows by the same index, but each in a process of its own: ${Math.round(row(database, longest).cpuUs ?? 0)} and ` +
        `${Math.round(row(database, shortest).cpuUs ?? 0)} µs of CPU a page there, collector of Node included; the raw query ` +
        (row(RAW, longest).p50 / row(RAW, shortest).p50).toFixed(2),
    ),
    explained(
      {
        number: 9,
        measure: 'latest 50 / raw query and JSON.parse, median of the lengths',
        atMost: 1.15,
        value: overLengths((length) => row(RAW, length).ratio),
      },
      `bound by CPU: ${cpuOf(database)} µs of this process a page against ${cpuOf(RAW)}; the raw query reads neither ids nor ` +
        `times, and one that does takes ${cpuOf(RAW_WHOLE)}: the page is ` +
        `${overLengths((length) => row(RAW_WHOLE, length).ratio).toFixed(2)} of that`,
    ),
    {
      number: 10,
      measure: 'latest 50 from the in-process cache / from the database, worst length',
      atMost: 0.2,
      value: worst('everthread, cache in this process'),
    },
    explained(
      {
        number: 10,
        measure: 'latest 50 from Redis / from the database, worst length',
        atMost: 0.6,
        value: worst('everthread, cache in Redis'),
      },
      `${cpuOf('everthread, cache in Redis')} µs of this process a page, of which parsing is a part that both have, against ` +
        `${cpuOf(database)}; what the database server is spared is not in it`,
    ),
  ]
}

try {
  const filler = await openChatHistory({ ...common, wal: `file:${join(scratch, 'fill')}` })
  await fill(filler)
  await filler.close()
  const rows: Row[] = []
  for (const length of LENGTHS) {
    await fillRaw(length)
    const subjects = [
      await store('everthread on the database', length, {}),
      await raw(length, false),
      await raw(length, true),
      await store('everthread, cache in this process', length, {
        read: { type: 'cache-enhanced', config: { singleProcess: true } },
        cache: 'memory:',
      }),
      await store('everthread, cache in Redis', length, {
        read: 'cache-enhanced',
        cache: redis.url,
      }),
    ]
    rows.push(...(await compare(subjects, 4, ROUNDS)))
    for (const subject of subjects) await subject.close()
  }
  await report('read', {
    rows,
    goals: goalsOf(rows),
    settings: { rounds: ROUNDS, sampleSeconds: SAMPLE_SECONDS, lengths: LENGTHS },
  })
} finally {
  await redis.stop()
  await server.stop()
  await rm(scratch, { recursive: true, force: true })
}
