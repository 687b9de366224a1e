/*
 * A long outage of the primary: memory while many entries are pending, and how fast the primary has
 * them when it is back, against raw `unnest` inserts of as many rows.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { nodeEnv } from '../src/core/node-env.ts'
import { FileWal } from '../src/wal/file/file-wal.ts'
import { startPostgres } from '../test/support/postgres-server.ts'
import { appendMaker, BODY } from './support/messages.ts'
import { insertBatch } from './support/raw-postgres.ts'
import { report } from './support/report.ts'
import { storeOnPostgres } from './support/store-on-postgres.ts'

const ENTRIES = Number(process.env['ENTRIES'] ?? 1_000_000)
const SAVES = Number(process.env['SAVES'] ?? 50_000)
const KEYS = 10_000
const IN_FLIGHT = 1_024
const BATCH_ROWS = 256
const CONVERSATIONS = 100

const server = await startPostgres()
const scratch = await mkdtemp(join(tmpdir(), 'everthread-bench-'))

function heapMiB(): number {
  globalThis.gc?.()
  return process.memoryUsage().heapUsed / 2 ** 20
}

async function pool(count: number, run: (i: number) => Promise<unknown>): Promise<void> {
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < count) await run(next++)
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker))
}

/** Entries that the primary lacks; the backup has them. */
async function heapWhilePending(): Promise<number> {
  const append = appendMaker()
  const wal = new FileWal(nodeEnv(), {
    directory: join(scratch, 'pending'),
    pendingBytesMax: 8 * 2 ** 30,
  })
  await wal.open('0000000000000001')
  const before = heapMiB()
  await pool(ENTRIES, async (i) => {
    wal.acknowledge('backup', [await wal.append([append(`c${i % KEYS}`)])])
  })
  const growth = heapMiB() - before
  if (wal.stats().places.primary.pendingEntries !== ENTRIES) throw new Error('entries are missing')
  await wal.close()
  return growth
}

/** Milliseconds from the first entry that the primary takes again until it has all. */
async function catchUp(): Promise<number> {
  const history = await storeOnPostgres(server.url, scratch, 'outage')
  await history.saveMessage('c0', BODY)
  await server.kill()
  await pool(SAVES, (i) => history.saveMessage(`c${i % CONVERSATIONS}`, BODY))
  const pending = (): number => history.status().places.primary.pending
  const owed = pending()
  await server.restart()
  while (pending() === owed) await delay(1)
  const start = performance.now()
  const left = pending()
  while (pending() > 0) await delay(1)
  const ms = performance.now() - start
  await history.close()
  return (ms / left) * SAVES
}

async function rawCatchUp(): Promise<number> {
  const client = new pg.Pool({ connectionString: server.url, max: 1 })
  await client.query(
    'CREATE TABLE raw_catch_up (id bigserial PRIMARY KEY, conversation text, at timestamptz DEFAULT now(), body text)',
  )
  await client.query('CREATE INDEX ON raw_catch_up (conversation, id)')
  const start = performance.now()
  for (let from = 0; from < SAVES; from += BATCH_ROWS) {
    const rows = Math.min(BATCH_ROWS, SAVES - from)
    const conversations = Array.from({ length: rows }, (_, i) => `c${(from + i) % CONVERSATIONS}`)
    await insertBatch(client, conversations, 'raw_catch_up')
  }
  const ms = performance.now() - start
  await client.end()
  return ms
}

try {
  const rawMs = await rawCatchUp()
  const catchUpMs = await catchUp()
  const heapGrowthMiB = await heapWhilePending()
  await report('outage', {
    figures: {
      heapGrowthMiB,
      catchUpPerSecond: (SAVES / catchUpMs) * 1_000,
      rawPerSecond: (SAVES / rawMs) * 1_000,
    },
    goals: [
      {
        number: 13,
        measure: `heap growth with ${ENTRIES} entries pending, ${KEYS} conversations`,
        atMost: 64,
        unit: 'MiB',
        value: heapGrowthMiB,
      },
      {
        number: 20,
        measure: 'catch-up after an outage / raw unnest batches',
        atLeast: 0.5,
        value: rawMs / catchUpMs,
      },
    ],
    settings: { entries: ENTRIES, saves: SAVES, keys: KEYS, batchRows: BATCH_ROWS },
  })
} finally {
  await server.stop()
  await rm(scratch, { recursive: true, force: true })
}
