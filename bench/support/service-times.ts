import { join } from 'node:path'
import pg from 'pg'
import { PostgresBackend } from '../../src/backend/postgres/index.ts'
import { nodeEnv } from '../../src/core/node-env.ts'
import { FileWal } from '../../src/wal/file/file-wal.ts'
import { countingDisk } from '../../test/support/counting-disk.ts'
import type { ServiceTimes } from './cluster-simulation.ts'
import { median, sample } from './measure.ts'
import { appendMaker, BODY } from './messages.ts'
import { storeOnPostgres } from './store-on-postgres.ts'

/** What one store did when it ran alone, for the simulation to be held against. */
export interface MeasuredStore {
  readonly savesPerSecond: number
  readonly p50Ms: number
  readonly logBytes: number
  readonly databaseLogBytes: number
  readonly databaseBytes: number
}

export interface Measured {
  readonly times: ServiceTimes
  readonly store: MeasuredStore
}

const BATCHES = [1, 16, 64, 256]
const WRITER = '0000000000000001'
/** No part takes less: a difference of two medians may. Milliseconds. */
const LEAST_MS = 0.005

/** Measures each part alone, on a server that does nothing else. */
export async function measureServiceTimes(
  url: string,
  scratch: string,
  { repeats, saves, concurrency }: { repeats: number; saves: number; concurrency: number },
): Promise<Measured> {
  const logSyncMs = await timeLog(scratch, repeats)
  const { roundTripMs, databaseSyncMs } = await timeDatabase(url, repeats)
  const { firstMs, rowMs } = await timeBatches(url, repeats)
  const { saveCpuMs, ...store } = await runStore(url, scratch, saves, concurrency)
  const batchMs = Math.max(LEAST_MS, firstMs - roundTripMs - databaseSyncMs)
  return {
    times: { saveCpuMs, logSyncMs, roundTripMs, batchMs, rowMs, databaseSyncMs },
    store,
  }
}

/** One append to the file log, alone. */
async function timeLog(scratch: string, repeats: number): Promise<number> {
  const wal = new FileWal(nodeEnv(), { directory: join(scratch, 'service-log') })
  await wal.open(WRITER)
  const append = appendMaker()
  const ms = await medianMs(repeats, () => wal.append([append('c')]))
  await wal.close()
  return ms
}

/** The bare round trip, and what waiting for the disk adds to a commit. */
async function timeDatabase(
  url: string,
  repeats: number,
): Promise<{ roundTripMs: number; databaseSyncMs: number }> {
  const client = new pg.Client(url)
  await client.connect()
  const insert = (): Promise<unknown> =>
    client.query({ name: 'i', text: 'INSERT INTO service_times VALUES ($1)', values: ['x'] })
  try {
    await client.query('CREATE TABLE service_times (body text)')
    const roundTripMs = await medianMs(repeats, () => client.query({ name: 'r', text: 'SELECT 1' }))
    const synced = await medianMs(repeats, insert)
    await client.query('SET synchronous_commit = off')
    const unsynced = await medianMs(repeats, insert)
    return { roundTripMs, databaseSyncMs: Math.max(LEAST_MS, synced - unsynced) }
  } finally {
    await client.end()
  }
}

/** One batch at a time, of several sizes: a straight line through the medians. */
async function timeBatches(
  url: string,
  repeats: number,
): Promise<{ firstMs: number; rowMs: number }> {
  const backend = new PostgresBackend({ url, schema: 'service_times' })
  await backend.connect()
  const append = appendMaker()
  try {
    const points: { n: number; ms: number }[] = []
    for (const n of BATCHES) {
      const batch = (): Promise<unknown> => {
        const operations = Array.from({ length: n }, (_, i) => append(`c${i % 100}`))
        return backend.apply(operations, { decide: true })
      }
      points.push({ n, ms: await medianMs(Math.ceil(repeats / 4), batch) })
    }
    const { slope, at0 } = line(points)
    return { firstMs: Math.max(LEAST_MS, at0), rowMs: Math.max(LEAST_MS / 10, slope) }
  } finally {
    await backend.disconnect()
  }
}

/** Least squares. */
function line(points: readonly { n: number; ms: number }[]): { slope: number; at0: number } {
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length
  const [n, ms] = [mean(points.map((point) => point.n)), mean(points.map((point) => point.ms))]
  const over = points.reduce((sum, point) => sum + (point.n - n) * (point.ms - ms), 0)
  const slope = over / points.reduce((sum, point) => sum + (point.n - n) ** 2, 0)
  return { slope, at0: ms - slope * n }
}

async function runStore(
  url: string,
  scratch: string,
  saves: number,
  concurrency: number,
): Promise<MeasuredStore & { saveCpuMs: number }> {
  const env = nodeEnv()
  const { disk, counts } = countingDisk(env.disk)
  const history = await storeOnPostgres(url, scratch, 'capacity', { env: { ...env, disk } })
  const admin = new pg.Client(url)
  await admin.connect()
  const subject = {
    name: 'store',
    promise: '',
    run: (_round: number, i: number) => history.saveMessage(`c${i % 100}`, BODY),
    close: async () => {},
  }
  try {
    await sample(subject, -1, concurrency, { operations: Math.ceil(saves / 4) })
    await history.flush()
    const before = { ...(await sizes(admin)), log: counts.bytes }
    const cpu = process.cpuUsage()
    const { rate, p50 } = await sample(subject, 0, concurrency, { operations: saves })
    await history.flush()
    const { user, system } = process.cpuUsage(cpu)
    const after = await sizes(admin)
    return {
      saveCpuMs: (user + system) / 1000 / saves,
      savesPerSecond: rate,
      p50Ms: p50,
      logBytes: (counts.bytes - before.log) / saves,
      databaseLogBytes: (after.written - before.written) / saves,
      databaseBytes: (after.database - before.database) / saves,
    }
  } finally {
    await admin.end()
    await history.close()
  }
}

/** Bytes of the server's own log so far, and of the store's database. */
async function sizes(admin: pg.Client): Promise<{ written: number; database: number }> {
  const { rows } = await admin.query<{ written: string; database: string }>(
    `SELECT pg_current_wal_lsn() - '0/0'::pg_lsn AS written, pg_database_size('bench_capacity') AS database`,
  )
  return { written: Number(rows[0]!.written), database: Number(rows[0]!.database) }
}

async function medianMs(repeats: number, run: () => Promise<unknown>): Promise<number> {
  const times: number[] = []
  for (let i = -Math.ceil(repeats / 4); i < repeats; i++) {
    const before = performance.now()
    await run()
    if (i >= 0) times.push(performance.now() - before)
  }
  return median(times)
}
