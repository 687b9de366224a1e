/*
 * The latest 50 messages of a conversation: the raw indexed query of the driver, the store on the
 * database, and the store on a cache in this process and on Redis; interleaved in one run, for short
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
import { compare, type Row, type Subject } from './support/measure.ts'
import { report } from './support/report.ts'

const ROUNDS = Number(process.env['ROUNDS'] ?? 5)
const COUNT = Number(process.env['COUNT'] ?? 400)
const LENGTHS = (process.env['LENGTHS'] ?? '100,10000,1000000').split(',').map(Number)
const RAW = 'raw query and JSON.parse'
const RAW_WHOLE = 'raw query with ids and times'
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

interface RawRow {
  readonly id?: string
  readonly body: string
  readonly created_at?: Date
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

/** `whole`: with the id and the time of each message, which the store's page has too. */
function raw(length: number, whole: boolean): Subject {
  const pool = new pg.Pool({ connectionString: server.url, max: 16 })
  pool.on('error', () => {})
  const columns = whole ? 'id, body, created_at' : 'body'
  return {
    name: `${whole ? RAW_WHOLE : RAW}, ${length} messages`,
    promise: '',
    run: async () => {
      const { rows } = await pool.query<RawRow>({
        name: 'latest',
        text: `SELECT ${columns} FROM raw_messages WHERE conversation = $1 ORDER BY id DESC LIMIT 50`,
        values: [`c${length}`],
      })
      rows.map(({ id, body, created_at: createdAt }) => {
        const message = JSON.parse(body) as object
        return whole ? { id, ...message, createdAt } : message
      })
    },
    close: () => pool.end(),
  }
}

async function store(name: string, length: number, options: ChatHistoryOptions): Promise<Subject> {
  const wal = `file:${join(scratch, `${name.replaceAll(/\W/g, '-')}-${length}`)}`
  const history = await openChatHistory({ ...common, wal, ...options })
  // Until the primary is known to be complete the cache is passed by.
  const isReady = (): boolean => history.status().trusted && history.status().foreignHints === 0
  while (!isReady()) await new Promise((resolve) => setTimeout(resolve, 50))
  return {
    name: `${name}, ${length} messages`,
    promise: '',
    run: async () => {
      const { messages } = await history.getHistory(`c${length}`)
      if (messages.length !== 50) throw new Error(`expected 50 messages, got ${messages.length}`)
    },
    close: () => history.close(),
  }
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
  return [
    {
      number: 8,
      measure: `latest 50 of ${longest} messages / of ${shortest}, p50`,
      atMost: 1.3,
      value: row(database, longest).p50 / row(database, shortest).p50,
    },
    explained(
      {
        number: 9,
        measure: 'latest 50 / raw query and JSON.parse, longest conversation',
        atMost: 1.15,
        value: row(RAW, longest).ratio,
      },
      `bound by CPU: ${Math.round(row(database, longest).cpuUs ?? 0)} µs of this process a page against ` +
        `${Math.round(row(RAW, longest).cpuUs ?? 0)}, and the raw query reads neither ids nor times: with them ` +
        `it takes ${(row(RAW, longest).ratio / row(RAW_WHOLE, longest).ratio).toFixed(2)} of the time, and the page ` +
        `${row(RAW_WHOLE, longest).ratio.toFixed(2)} of that`,
    ),
    {
      number: 10,
      measure: 'latest 50 from the in-process cache / from the database, worst length',
      atMost: 0.2,
      value: worst('everthread, cache in this process'),
    },
    {
      number: 10,
      measure: 'latest 50 from Redis / from the database, worst length',
      atMost: 0.6,
      value: worst('everthread, cache in Redis'),
    },
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
      raw(length, false),
      raw(length, true),
      await store('everthread, cache in this process', length, {
        read: { type: 'cache-enhanced', config: { singleProcess: true } },
        cache: 'memory:',
      }),
      await store('everthread, cache in Redis', length, {
        read: 'cache-enhanced',
        cache: redis.url,
      }),
    ]
    rows.push(...(await compare(subjects, 4, COUNT, ROUNDS)))
    for (const subject of subjects) await subject.close()
  }
  await report('read', {
    rows,
    goals: goalsOf(rows),
    settings: { rounds: ROUNDS, count: COUNT, lengths: LENGTHS },
  })
} finally {
  await redis.stop()
  await server.stop()
  await rm(scratch, { recursive: true, force: true })
}
