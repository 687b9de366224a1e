/*
 * Saving to and reading from PostgreSQL with everthread and with other libraries for chat history, all
 * interleaved in one run on one server, each in a database of its own. The libraries are those of
 * bench/package.json; they are installed when they are missing. Writes bench/results/peers.json.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { messageOf } from '../src/core/errors.ts'
import { startPostgres } from '../test/support/postgres-server.ts'
import type { Goal } from './support/goal.ts'
import { compare, type Row, type Subject } from './support/measure.ts'
import { BODY } from './support/messages.ts'
import { loadPeers, type Peer, type PeerStore } from './support/peer.ts'
import { report } from './support/report.ts'
import { storeOnPostgres } from './support/store-on-postgres.ts'

const ROUNDS = Number(process.env['ROUNDS'] ?? 7)
const COUNT = Number(process.env['COUNT'] ?? 2000)
const READS = Number(process.env['READS'] ?? 200)
const CONCURRENCIES = [1, 16, 64]
const CONVERSATIONS = 100
const CONNECTIONS = 16
const HISTORY = 1000
const PAGE = 50
/** A peer that does not answer its first calls is left out. Milliseconds. */
const TRIAL_MS_MAX = 30_000

interface Contender extends Subject {
  /** Reads the latest of the long conversation. */
  readonly reader: Subject
}

const server = await startPostgres({ settings: { max_connections: '400' } })
const scratch = await mkdtemp(join(tmpdir(), 'everthread-bench-'))
let databases = 0

async function database(): Promise<string> {
  const name = `peer_${databases++}`
  const admin = new pg.Client(server.url)
  await admin.connect()
  await admin.query(`CREATE DATABASE ${name}`)
  await admin.end()
  const url = new URL(server.url)
  url.pathname = `/${name}`
  return url.href
}

async function raw(): Promise<PeerStore> {
  const pool = new pg.Pool({ connectionString: await database(), max: CONNECTIONS })
  pool.on('error', () => {})
  await pool.query(
    'CREATE TABLE messages (id bigserial PRIMARY KEY, conversation text, at timestamptz DEFAULT now(), body text)',
  )
  await pool.query('CREATE INDEX ON messages (conversation, id)')
  return {
    save: (conversation, _number, message) =>
      pool.query({
        name: 'insert',
        text: 'INSERT INTO messages (conversation, body) VALUES ($1, $2)',
        values: [conversation, JSON.stringify(message)],
      }),
    latest: async (conversation, limit) => {
      const { rows } = await pool.query<{ body: string }>({
        name: 'latest',
        text: 'SELECT body FROM messages WHERE conversation = $1 ORDER BY id DESC LIMIT $2',
        values: [conversation, limit],
      })
      return rows.map(({ body }) => JSON.parse(body) as unknown).length
    },
    close: () => pool.end(),
  }
}

async function everthread(write: 'idempotent' | 'wal-first'): Promise<PeerStore> {
  const history = await storeOnPostgres(server.url, scratch, write, { write })
  return {
    save: (conversation) => history.saveMessage(conversation, BODY),
    latest: async (conversation, limit) =>
      (await history.getHistory(conversation, { limit })).messages.length,
    settle: () => history.flush(),
    close: () => history.close(),
  }
}

async function peerStore(peer: Peer): Promise<PeerStore> {
  const concurrencyMax = Math.max(...CONCURRENCIES)
  return peer.open({ url: await database(), connections: CONNECTIONS, concurrencyMax })
}

async function contender(
  name: string,
  promise: string,
  reading: string,
  store: PeerStore,
): Promise<Contender> {
  let number = 0
  await (store.fill?.('long', HISTORY, BODY) ?? fill(store))
  const found = await store.latest('long', PAGE)
  if (found !== PAGE) throw new Error(`${name}: the latest ${PAGE} were ${found} messages`)
  return {
    name,
    promise,
    run: (_round, i) => store.save(`c${i % CONVERSATIONS}`, number++, BODY),
    settle: async () => void (await store.settle?.()),
    close: async () => void (await store.close()),
    reader: {
      name: `latest ${PAGE} of ${HISTORY}: ${name}`,
      promise: reading,
      run: () => store.latest('long', PAGE),
      close: async () => {},
    },
  }
}

async function fill(store: PeerStore): Promise<void> {
  for (let i = 0; i < HISTORY; i++) await store.save('long', i, BODY)
}

function withinMs<T>(ms: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

function goalsOf(rows: readonly Row[], peers: readonly string[]): Goal[] {
  const at64 = rows.filter(
    ({ concurrency, name }) => concurrency === 64 && !name.startsWith('latest'),
  )
  const best = at64
    .filter(({ name }) => peers.includes(name))
    .sort((a, b) => b.rate - a.rate)
    .at(0)
  if (best === undefined) return []
  return (['idempotent', 'wal-first'] as const).map((write) => ({
    number: 7,
    measure: `saves at 64, ${write} / the best peer`,
    atLeast: 3,
    value: at64.find(({ name }) => name === `everthread ${write}`)!.rate / best.rate,
    note: `best peer: ${best.name}, which promises the ${best.promise}`,
  }))
}

const contenders: Contender[] = []
try {
  contenders.push(
    await contender('raw pg, pool of 16', 'primary', 'the latest 50', await raw()),
    await contender(
      'everthread idempotent',
      'primary + wal',
      'the latest 50',
      await everthread('idempotent'),
    ),
    await contender('everthread wal-first', 'wal', 'the latest 50', await everthread('wal-first')),
  )
  const { peers, leftOut } = await loadPeers()
  const missing: Record<string, string> = { ...leftOut }
  const names: string[] = []
  for (const peer of peers) {
    const name = `${peer.title} (${peer.packages[0]} ${peer.version})`
    try {
      const opened = peerStore(peer).then((store) =>
        contender(name, peer.promise, peer.reading, store),
      )
      contenders.push(await withinMs(TRIAL_MS_MAX, opened))
      names.push(name)
    } catch (error) {
      missing[peer.title] = messageOf(error)
    }
  }
  for (const [name, reason] of Object.entries(missing)) console.log(`left out: ${name}: ${reason}`)
  const rows: Row[] = []
  for (const concurrency of CONCURRENCIES) {
    const count = concurrency === 1 ? Math.ceil(COUNT / 4) : COUNT
    rows.push(...(await compare(contenders, concurrency, count, ROUNDS)))
  }
  const readers = contenders.map(({ reader }) => reader)
  rows.push(...(await compare(readers, 1, READS, ROUNDS)))
  await report('peers', {
    rows,
    goals: goalsOf(rows, names),
    settings: {
      rounds: ROUNDS,
      count: COUNT,
      reads: READS,
      conversations: CONVERSATIONS,
      connections: CONNECTIONS,
      leftOut: missing,
    },
  })
} finally {
  for (const each of contenders) await each.close()
  await server.stop()
  await rm(scratch, { recursive: true, force: true })
}
// Some peers keep timers and connections of their own; what was measured is on disk.
process.exit()
