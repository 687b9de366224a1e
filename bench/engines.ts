/*
 * The other engines as primary: Redis with `appendfsync always` beside bare pushes, and SQLite beside
 * one commit a message. Each engine is measured alone and as the primary of a whole store (SQLite
 * backup with its flush running, file log, all on one disk), interleaved with its driver in one run.
 * Writes bench/results/engines.json.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { RedisDatabaseBackend } from '../src/backend/redis/backend.ts'
import type { ReplicaBackend } from '../src/backend/replica-backend.ts'
import { loadSqliteDriver } from '../src/backend/sqlite/driver.ts'
import { SqliteBackend } from '../src/backend/sqlite/index.ts'
import { openChatHistory } from '../src/index.ts'
import { startRedis } from '../test/support/redis-server.ts'
import type { Goal } from './support/goal.ts'
import { compare, type Row, type Subject } from './support/measure.ts'
import { appendMaker, BODY } from './support/messages.ts'
import { report } from './support/report.ts'

const ROUNDS = Number(process.env['ROUNDS'] ?? 7)
const COUNT = Number(process.env['COUNT'] ?? 6000)
const CONCURRENCIES = [1, 16, 64, 256]
const CONVERSATIONS = 100

const redis = await startRedis({ appendfsync: 'always' })
const scratch = await mkdtemp(join(tmpdir(), 'everthread-bench-'))

/** One push a message over one connection, which the driver pipelines. */
async function rawPushes(): Promise<Subject> {
  const client = new Redis(redis.url)
  return {
    name: 'raw ioredis, one RPUSH a message',
    promise: 'primary',
    run: (_round, i) => client.rpush(`raw:c${i % CONVERSATIONS}`, JSON.stringify(BODY)),
    close: async () => void (await client.quit()),
  }
}

/** One transaction a message, in the thread that calls. */
async function rawCommits(): Promise<Subject> {
  const driver = await loadSqliteDriver()
  const database = driver.open(join(scratch, 'raw.db'))
  database.exec('PRAGMA journal_mode = WAL')
  database.exec('PRAGMA synchronous = FULL')
  database.exec('CREATE TABLE messages (id INTEGER PRIMARY KEY, conversation TEXT, body TEXT)')
  database.exec('CREATE INDEX latest ON messages (conversation, id)')
  const insert = database.prepare('INSERT INTO messages (conversation, body) VALUES (?, ?)')
  return {
    name: `raw ${driver.name}, one commit a message`,
    promise: 'primary',
    run: async (_round, i) => insert.run(`c${i % CONVERSATIONS}`, JSON.stringify(BODY)),
    close: async () => void database.close(),
  }
}

async function engine(name: string, backend: ReplicaBackend): Promise<Subject> {
  const append = appendMaker()
  await backend.connect()
  return {
    name: `everthread, ${name} alone`,
    promise: 'primary',
    run: (_round, i) => backend.apply([append(`c${i % CONVERSATIONS}`)], { decide: true }),
    close: () => backend.disconnect(),
  }
}

async function store(name: string, primary: string): Promise<Subject> {
  const history = await openChatHistory({
    primary,
    backup: `sqlite:${join(scratch, `${name}-backup.db`)}`,
    wal: `file:${join(scratch, name)}`,
  })
  return {
    name: `everthread idempotent, ${name} primary`,
    promise: 'primary + wal',
    run: (_round, i) => history.saveMessage(`c${i % CONVERSATIONS}`, BODY),
    settle: () => history.flush(),
    close: () => history.close(),
  }
}

async function measure(subjects: readonly Subject[]): Promise<Row[]> {
  const rows: Row[] = []
  try {
    for (const concurrency of CONCURRENCIES) {
      const count = concurrency === 1 ? Math.ceil(COUNT / 4) : COUNT
      rows.push(...(await compare(subjects, concurrency, count, ROUNDS)))
    }
  } finally {
    for (const subject of subjects) await subject.close()
  }
  return rows
}

function goal(rows: readonly Row[], number: number, measured: string, atLeast: number): Goal {
  const at64 = rows.filter(({ concurrency }) => concurrency === 64)
  const [raw, alone, whole] = at64
  return {
    number,
    measure: measured,
    atLeast,
    value: whole!.ratio,
    note:
      `the engine alone ${alone!.ratio.toFixed(2)}; ${raw!.name} ${Math.round(raw!.rate)}/s; with the store the event loop ` +
      `is ${Math.round(100 * (whole!.loop ?? 0))} % busy, ${Math.round(whole!.cpuUs ?? 0)} µs of this process a save`,
  }
}

try {
  const onRedis = await measure([
    await rawPushes(),
    await engine('Redis', new RedisDatabaseBackend({ url: redis.url, keyPrefix: 'alone:' })),
    await store('redis', redis.url),
  ])
  const onSqlite = await measure([
    await rawCommits(),
    await engine('SQLite', new SqliteBackend({ path: join(scratch, 'alone.db') })),
    await store('sqlite', `sqlite:${join(scratch, 'primary.db')}`),
  ])
  await report('engines', {
    rows: [...onRedis, ...onSqlite],
    goals: [
      goal(onRedis, 21, 'Redis primary, `always`, at 64 / raw pushes', 0.6),
      goal(onSqlite, 22, 'SQLite primary at 64 / one commit a message', 3.5),
    ],
    settings: { rounds: ROUNDS, count: COUNT, conversations: CONVERSATIONS },
  })
} finally {
  await redis.stop()
  await rm(scratch, { recursive: true, force: true })
}
