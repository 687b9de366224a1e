/*
 * A search beside the query that an application would write by hand on the same engine, over the same messages: in
 * PostgreSQL in a table with a `tsvector` and a GIN index, in SQLite in one of FTS5. Beside them the same with the piece of
 * the text around the words, as a search has it (`ts_headline`, `snippet`). And what the index costs: time to build it,
 * bytes, and saves. Interleaved in one run.
 *
 *   MESSAGES=1000000 npm run bench search
 *
 * MESSAGES, 100,000 by default, are of 40 words each out of 50,000, the n-th of which is as frequent as 1/n.
 */
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import pg from 'pg'
import { PostgresBackend } from '../src/backend/postgres/index.ts'
import type { ReplicaBackend } from '../src/backend/replica-backend.ts'
import { SqliteBackend } from '../src/backend/sqlite/index.ts'
import { loadSqliteDriver, type SqliteDatabase } from '../src/backend/sqlite/connection/driver.ts'
import { encodeJson } from '../src/core/json.ts'
import type { Operation } from '../src/core/operation.ts'
import { StampClock } from '../src/core/stamp.ts'
import { ChatHistory, StrategicStorageManager, StrategyFactory } from '../src/index.ts'
import { startPostgres } from '../test/support/postgres-server.ts'
import type { Goal } from './support/goal.ts'
import { compare, sample, type Measured, type Subject } from './support/measure.ts'
import { report } from './support/report.ts'

const MESSAGES = Number(process.env['MESSAGES'] ?? 100_000)
const ROUNDS = Number(process.env['ROUNDS'] ?? 3)
const WORDS = 50_000
const LENGTH = 40
const CONVERSATIONS = 1_000
const BATCH = 1_000
/** What is looked for: one word of each frequency, and two words together. */
const QUERIES = ['w4', 'w60', 'w900', 'w20000', 'w3 w40', 'w700 w900']
const LIMIT = 20
const WHY =
  'a search also reads each message as it stands, compares it with the words, and makes message and excerpt of it'
/** By hand: the latest that have all words. */
const RAW = `SELECT id, conversation, body FROM raw_found
  WHERE words @@ plainto_tsquery('simple', $1) ORDER BY id DESC LIMIT $2`
const RAW_EXCERPTS = `SELECT id, conversation, body,
  ts_headline('simple', body, plainto_tsquery('simple', $1)) FROM (${RAW}) found`
const RAW_SQLITE = `SELECT rowid, conversation, body FROM raw_found
  WHERE raw_found MATCH ? ORDER BY rowid DESC LIMIT ?`
const RAW_SQLITE_EXCERPTS = RAW_SQLITE.replace(
  'body FROM',
  "body, snippet(raw_found, 1, '', '', '…', 32) FROM",
)

const scratch = await mkdtemp(join(tmpdir(), 'everthread-bench-'))
const server = await startPostgres()
const figures: Record<string, number> = {}
const clock = new StampClock({ now: () => Date.now(), writer: randomBytes(8) })
let seed = 1

try {
  const path = join(scratch, 'primary.db')
  const plain = {
    pg: new PostgresBackend({ url: server.url }),
    sqlite: new SqliteBackend({ path }),
  }
  for (const backend of Object.values(plain)) await backend.connect()
  await fill(Object.values(plain))
  await rawTable()
  const raw = await rawFile(path)
  for (const backend of Object.values(plain)) await backend.disconnect()
  const before = { pg: await pgBytes('everthread_items'), sqlite: await sqliteBytes(path) }
  const indexed = {
    pg: new PostgresBackend({ url: server.url, search: true }),
    sqlite: new SqliteBackend({ path, search: true }),
  }
  figures['pgBuildSeconds'] = await built(indexed.pg)
  figures['sqliteBuildSeconds'] = await built(indexed.sqlite)
  figures['pgItemsMiB'] = before.pg / 2 ** 20
  figures['pgIndexMiB'] = (await pgBytes('everthread_search')) / 2 ** 20
  figures['rawIndexMiB'] = (await pgBytes('raw_found')) / 2 ** 20
  figures['sqliteFileMiB'] = before.sqlite / 2 ** 20
  figures['sqliteIndexMiB'] = ((await sqliteBytes(path)) - before.sqlite) / 2 ** 20
  const pool = new pg.Pool({ connectionString: server.url, max: 4 })
  const history = async (primary: ReplicaBackend, name: string): Promise<Subject> => {
    // Without a backup: the first pass would copy all to it meanwhile.
    const store = new StrategicStorageManager(
      { primary },
      StrategyFactory.createReadStrategy(),
      StrategyFactory.createWriteStrategy(),
      StrategyFactory.createHealthManager('circuit-breaker'),
      StrategyFactory.createWALManager('file', { filePath: join(scratch, name) }),
    )
    await store.connect()
    const open = new ChatHistory(store)
    return {
      name: `everthread search, ${name}`,
      promise: `${MESSAGES} messages`,
      run: (_round, i) => open.search({ text: QUERIES[i % QUERIES.length]!, limit: LIMIT }),
      close: () => open.close(),
    }
  }
  const byHand = (name: string, run: (text: string) => unknown): Subject => ({
    name,
    promise: `${MESSAGES} messages`,
    run: async (_round, i) => await run(QUERIES[i % QUERIES.length]!),
    close: async () => {},
  })
  const ofPostgres = [
    byHand('raw pg, tsvector and GIN', (text) => pool.query(RAW, [text, LIMIT + 1])),
    byHand('raw pg, with ts_headline', (text) => pool.query(RAW_EXCERPTS, [text, LIMIT + 1])),
    await history(indexed.pg, 'PostgreSQL'),
  ]
  const ofSqlite = [
    byHand('raw SQLite, FTS5', (text) => raw.prepare(RAW_SQLITE).all(text, LIMIT + 1)),
    byHand('raw SQLite, with snippet', (text) =>
      raw.prepare(RAW_SQLITE_EXCERPTS).all(text, LIMIT + 1),
    ),
    await history(indexed.sqlite, 'SQLite'),
  ]
  const rows = []
  const goals: Goal[] = []
  for (const [engine, subjects, why] of [
    ['PostgreSQL', ofPostgres, WHY],
    ['SQLite', ofSqlite, `${WHY}, and the raw query waits for no thread`],
  ] as const) {
    const own = await compare(subjects.map(measured), 1, ROUNDS)
    rows.push(...own)
    const [, excerpts, found] = own
    goals.push({
      number: 'C2',
      measure: `search in ${MESSAGES} messages / the raw query of ${engine}, p50`,
      atMost: 3,
      value: found!.p50Ratio,
      note: `${(found!.p50 / excerpts!.p50).toFixed(2)} of the raw query with excerpts; ${why}`,
    })
  }
  const saves = await compareSaves()
  await report('search', {
    rows: [...rows, ...saves],
    figures,
    goals,
    settings: { messages: MESSAGES, rounds: ROUNDS },
  })
  for (const subject of [...ofPostgres, ...ofSqlite]) await subject.close()
  raw.close()
  await pool.end()
} finally {
  await server.stop()
  await rm(scratch, { recursive: true, force: true })
}

/** Saves to each engine with the index and without, one after another and many at once. */
async function compareSaves(): Promise<Awaited<ReturnType<typeof compare>>> {
  const opened = await Promise.all(
    [false, true].flatMap((search) => [
      saving(
        'PostgreSQL',
        search,
        new PostgresBackend({ url: server.url, schema: `s${search}`, search }),
      ),
      saving('SQLite', search, new SqliteBackend({ path: join(scratch, `s${search}.db`), search })),
    ]),
  )
  const [pgOff, sqliteOff, pgOn, sqliteOn] = opened.map(measured)
  const rows = []
  for (const concurrency of [1, 16]) {
    rows.push(...(await compare([pgOff!, pgOn!], concurrency, ROUNDS)))
    rows.push(...(await compare([sqliteOff!, sqliteOn!], concurrency, ROUNDS)))
  }
  for (const subject of opened) await subject.close()
  return rows
}

async function saving(name: string, search: boolean, backend: ReplicaBackend): Promise<Subject> {
  await backend.connect()
  return {
    name: `save to the ${name} engine, ${search ? 'with the index' : 'without'}`,
    promise: 'primary',
    run: (_round, i) => backend.apply([append(i % CONVERSATIONS, text())], { decide: true }),
    close: () => backend.disconnect(),
  }
}

function measured(subject: Subject): Measured {
  return {
    name: subject.name,
    promise: subject.promise,
    sample: (round, concurrency, extent) => sample(subject, round, concurrency, extent),
    close: () => subject.close(),
  }
}

async function fill(backends: readonly ReplicaBackend[]): Promise<void> {
  for (let from = 0; from < MESSAGES; from += BATCH) {
    const operations = Array.from({ length: Math.min(BATCH, MESSAGES - from) }, (_, i) =>
      append((from + i) % CONVERSATIONS, text()),
    )
    await Promise.all(backends.map((backend) => backend.apply(operations)))
  }
}

function append(conversation: number, content: string): Operation {
  const key = `chat/0::c${conversation}`
  const stamp = clock.tick(key)
  const value = encodeJson({ role: 'user', content })
  return { kind: 'put', change: 'append', key, id: stamp, position: stamp, stamp, value }
}

/** The same in every run. */
function text(): string {
  return Array.from({ length: LENGTH }, () => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
    return `w${Math.floor(WORDS ** (seed / 2 ** 32))}`
  }).join(' ')
}

async function rawTable(): Promise<void> {
  const client = new pg.Client(server.url)
  await client.connect()
  await client.query(`CREATE TABLE raw_found AS
    SELECT position AS id, key AS conversation, appended::json->>'content' AS body,
      to_tsvector('simple', appended::json->>'content') AS words FROM everthread_items`)
  await client.query('CREATE INDEX ON raw_found USING gin (words)')
  await client.query('CREATE INDEX ON raw_found (id)')
  await client.query('ANALYZE raw_found')
  await client.end()
}

/** A file with a table of FTS5 over the same texts, in the order of positions. */
async function rawFile(path: string): Promise<SqliteDatabase> {
  const database = (await loadSqliteDriver()).open(join(scratch, 'raw.db'))
  database.exec('CREATE VIRTUAL TABLE raw_found USING fts5(conversation UNINDEXED, body)')
  database.exec(`ATTACH '${path}' AS store`)
  database.exec(`INSERT INTO raw_found SELECT k.key, i.appended ->> 'content'
    FROM store.everthread_items i JOIN store.everthread_keys k USING (key_id) ORDER BY i.position`)
  database.exec('DETACH store')
  return database
}

async function built(backend: PostgresBackend | SqliteBackend): Promise<number> {
  const startedAt = performance.now()
  await backend.connect()
  while (backend.getSearch().state !== 'ready') {
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return (performance.now() - startedAt) / 1_000
}

/** With the log beside it moved into it. */
async function sqliteBytes(path: string): Promise<number> {
  const backend = new SqliteBackend({ path })
  await backend.connect()
  await backend.purge()
  await backend.disconnect()
  return (await stat(path)).size
}

async function pgBytes(table: string): Promise<number> {
  const client = new pg.Client(server.url)
  await client.connect()
  const { rows } = await client.query('SELECT pg_total_relation_size($1::regclass) AS bytes', [
    table,
  ])
  await client.end()
  return Number(rows[0].bytes)
}
