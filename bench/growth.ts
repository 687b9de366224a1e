/*
 * How the cost of a save grows: with processes on one PostgreSQL (each with a log of its own, one
 * SQLite backup for all), with conversations, and with the size of a message. All of one kind are
 * interleaved. Writes bench/results/growth.json.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { nodeEnv } from '../src/core/node-env.ts'
import type { ChatHistory } from '../src/index.ts'
import { countingDisk } from '../test/support/counting-disk.ts'
import { startPostgres } from '../test/support/postgres-server.ts'
import { interleave, type Case } from './support/interleave.ts'
import { sample, type Row } from './support/measure.ts'
import { BODY } from './support/messages.ts'
import { report } from './support/report.ts'
import { SavingProcesses } from './support/saving-processes.ts'
import { storeOnPostgres } from './support/store-on-postgres.ts'

const ROUNDS = Number(process.env['ROUNDS'] ?? 7)
const COUNT = Number(process.env['COUNT'] ?? 6000)
const PROCESSES = Number(process.env['PROCESSES'] ?? 4)
const CONVERSATIONS = (process.env['CONVERSATIONS'] ?? '1,100,10000,100000').split(',').map(Number)
/** A listing reads all conversations of the newest minute, and here that is all there are. */
const LISTINGS_MAX = 20
const LISTED_MAX = 200_000
const SIZES = [100, 1024, 10 * 1024, 100 * 1024, 1024 * 1024]
const CONCURRENCY = 64
/** Of large messages few are saved at a time and in a run: these many bytes. */
const SIZE_CONCURRENCY = 16
const SIZE_BYTES_MAX = 32 * 1024 * 1024
const PROMISE = 'primary + wal'
/** Conversations are met in this order, one after another would be kinder to caches. Prime. */
const STRIDE = 7919

const server = await startPostgres({ settings: { max_connections: '400' } })
const scratch = await mkdtemp(join(tmpdir(), 'everthread-bench-'))

async function growProcesses(): Promise<Row[]> {
  const processes = new SavingProcesses()
  try {
    // The first makes the tables; the others find them.
    for (let i = 0; i < PROCESSES; i++) {
      await processes.start({
        primary: server.url,
        backup: `sqlite:${join(scratch, 'processes.db')}`,
        wal: `file:${join(scratch, 'processes')}`,
        prefix: `p${i}-c`,
        conversations: 100,
        concurrency: CONCURRENCY,
        count: COUNT,
      })
    }
    const cases = Array.from({ length: PROCESSES }, (_, i): Case => {
      const name = i === 0 ? '1 process' : `${i + 1} processes`
      const concurrency = CONCURRENCY * (i + 1)
      return { name, promise: PROMISE, concurrency, measure: () => processes.measure(i + 1) }
    })
    return await interleave(cases, ROUNDS)
  } finally {
    await processes.stop()
  }
}

async function growConversations(): Promise<Row[]> {
  const stores: ChatHistory[] = []
  try {
    const saves: Case[] = []
    const listings: Case[] = []
    for (const conversations of CONVERSATIONS) {
      const history = await storeOnPostgres(server.url, scratch, `conversations-${conversations}`)
      stores.push(history)
      const save = (i: number): Promise<unknown> =>
        history.saveMessage(`c${(i * STRIDE) % conversations}`, BODY)
      const fill = { name: '', promise: '', run: (_round: number, i: number) => save(i) }
      await sample({ ...fill, close: async () => {} }, 0, 256, { operations: conversations })
      await history.flush()
      saves.push(caseOf(`${conversations} conversations`, CONCURRENCY, COUNT, save))
      const count = Math.max(1, Math.min(LISTINGS_MAX, Math.floor(LISTED_MAX / conversations)))
      const listing = caseOf(
        `latest 50 of ${conversations} conversations, all just active`,
        1,
        count,
        () => history.listConversations({ limit: 50 }),
      )
      listings.push({ ...listing, promise: 'its page' })
    }
    return [...(await interleave(saves, ROUNDS)), ...(await interleave(listings, ROUNDS))]
  } finally {
    for (const store of stores) await store.close()
  }
}

async function growSizes(): Promise<{ rows: Row[]; figures: Record<string, number> }> {
  const env = nodeEnv()
  const { disk, counts } = countingDisk(env.disk)
  const history = await storeOnPostgres(server.url, scratch, 'sizes', { env: { ...env, disk } })
  const admin = new pg.Client(server.url)
  await admin.connect()
  const figures: Record<string, number> = {}
  try {
    const cases = SIZES.map((bytes): Case => {
      const count = Math.max(16, Math.min(COUNT, Math.floor(SIZE_BYTES_MAX / bytes)))
      const body = { role: 'assistant', content: incompressible(bytes) } as const
      const subject = caseOf(`${named(bytes)} a message`, SIZE_CONCURRENCY, count, (i) =>
        history.saveMessage(`c${i % 100}`, body),
      )
      const measure = async (round: number): ReturnType<Case['measure']> => {
        const before = { log: counts.bytes, postgres: await written(admin) }
        const found = await subject.measure(round)
        // What the next size is measured beside must not be this one's flush.
        await history.flush()
        figures[`${named(bytes)}: bytes to the log a message`] = (counts.bytes - before.log) / count
        figures[`${named(bytes)}: bytes to PostgreSQL's log a message`] =
          ((await written(admin)) - before.postgres) / count
        return found
      }
      return { ...subject, measure }
    })
    return { rows: await interleave(cases, ROUNDS), figures }
  } finally {
    await admin.end()
    await history.close()
  }
}

function caseOf(
  name: string,
  concurrency: number,
  count: number,
  run: (i: number) => Promise<unknown>,
): Case {
  const subject = {
    name,
    promise: PROMISE,
    run: (_round: number, i: number) => run(i),
    close: async () => {},
  }
  return {
    name,
    promise: PROMISE,
    concurrency,
    measure: (round) => sample(subject, round, concurrency, { operations: count }),
  }
}

/** Bytes of PostgreSQL's own log since the server was made. */
async function written(admin: pg.Client): Promise<number> {
  const text = "SELECT pg_current_wal_lsn() - '0/0'::pg_lsn AS bytes"
  const { rows } = await admin.query<{ bytes: string }>(text)
  return Number(rows[0]!.bytes)
}

/** Text without repeats, so that no compression helps. */
function incompressible(bytes: number): string {
  let state = 1
  return Array.from({ length: bytes }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
    return String.fromCharCode(97 + ((state >> 16) % 26))
  }).join('')
}

function named(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`
  return bytes < 1024 * 1024 ? `${bytes / 1024} KiB` : `${bytes / (1024 * 1024)} MiB`
}

try {
  const processes = await growProcesses()
  const conversations = await growConversations()
  const sizes = await growSizes()
  await report('growth', {
    rows: [...processes, ...conversations, ...sizes.rows],
    figures: sizes.figures,
    settings: { rounds: ROUNDS, count: COUNT },
  })
} finally {
  await server.stop()
  await rm(scratch, { recursive: true, force: true })
}
