/*
 * The other engines as primary: Redis with `appendfsync always` beside bare pushes, and SQLite beside
 * one commit a message. Each engine is measured alone and as the primary of a whole store (SQLite
 * backup with its flush running, file log, all on one disk), interleaved with its driver in one run, each
 * in a process of its own.
 * Writes bench/results/engines.json.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { startRedis } from '../test/support/redis-server.ts'
import { explained, percent, type Goal } from './support/goal.ts'
import { compare, SAMPLE_SECONDS, type Measured, type Row } from './support/measure.ts'
import { inOwnProcess } from './support/own-process.ts'
import { report } from './support/report.ts'
import * as engines from './subjects/engines.ts'

const ROUNDS = Number(process.env['ROUNDS'] ?? 7)
const CONCURRENCIES = [1, 16, 64, 256]
const SUBJECTS = new URL('./subjects/engines.js', import.meta.url)

const redis = await startRedis({ appendfsync: 'always' })
const scratch = await mkdtemp(join(tmpdir(), 'everthread-bench-'))

type Factory = Exclude<keyof typeof engines, 'CONVERSATIONS'>

/** Each is opened in a process of its own. */
async function measure(factories: readonly Factory[]): Promise<Row[]> {
  const rows: Row[] = []
  const subjects: Measured[] = []
  const target: engines.Target = { url: redis.url, directory: scratch }
  try {
    for (const factory of factories) {
      subjects.push(...(await inOwnProcess(SUBJECTS, factory, target)))
    }
    for (const concurrency of CONCURRENCIES) {
      rows.push(...(await compare(subjects, concurrency, ROUNDS)))
    }
  } finally {
    for (const subject of subjects) await subject.close()
  }
  return rows
}

/**
 * CPU of the Redis server an operation, 64 at a time: one thread does it all, and waits for the disk
 * meanwhile. Microseconds.
 */
async function serverCpuUs(factory: Factory): Promise<number> {
  const extent = { seconds: SAMPLE_SECONDS }
  const [subject] = await inOwnProcess(SUBJECTS, factory, { url: redis.url, directory: scratch })
  const client = new Redis(redis.url)
  const usedSeconds = async (): Promise<number> => {
    const used = (await client.info('cpu')).matchAll(/used_cpu_(?:user|sys):([\d.]+)/g)
    return [...used].reduce((sum, [, seconds]) => sum + Number(seconds), 0)
  }
  try {
    await subject!.sample(-1, 64, extent)
    const before = await usedSeconds()
    const { rate } = await subject!.sample(0, 64, extent)
    return ((await usedSeconds()) - before) / ((rate * SAMPLE_SECONDS) / 1e6)
  } finally {
    await subject!.close()
    await client.quit()
  }
}

function goal(
  rows: readonly Row[],
  number: number,
  measured: string,
  atLeast: number,
  limit = '',
): Goal {
  const at64 = rows.filter(({ concurrency }) => concurrency === 64)
  const named = (part: string): Row | undefined => at64.find(({ name }) => name.includes(part))
  const [raw, alone, whole] = [at64[0]!, named('alone')!, named('idempotent')!]
  const least = named('and a bare log')
  const floor = least === undefined ? '' : `, ${least.name} ${least.ratio.toFixed(2)}`
  return explained(
    { number, measure: measured, atLeast, value: whole.ratio },
    `the engine alone ${alone.ratio.toFixed(2)}${floor}; ${raw.name} ${Math.round(raw.rate)}/s; with the store, a backup in SQLite ` +
      `and its flush, the event loop is ${percent(whole.loop)} busy and the cores ${percent(whole.busy)}, ` +
      `${Math.round(whole.cpuUs ?? 0)} µs of this process a save, and log, primary and backup share a disk${limit}`,
  )
}

try {
  const onRedis = await measure(['rawPushes', 'redisAlone', 'redisStore', 'pushesAndLog'])
  const [pushUs, saveUs] = [await serverCpuUs('rawPushes'), await serverCpuUs('redisAlone')]
  const onSqlite = await measure(['rawCommits', 'sqliteAlone', 'sqliteStore', 'batchesAndLog'])
  await report('engines', {
    rows: [...onRedis, ...onSqlite],
    figures: { redisCpuUsPerPush: pushUs, redisCpuUsPerSave: saveUs },
    goals: [
      goal(
        onRedis,
        21,
        'Redis primary, `always`, at 64 / raw pushes',
        0.6,
        `; the one thread of Redis takes ${Math.round(pushUs)} µs for a push and ${Math.round(saveUs)} µs for a save, whose script judges ` +
          'it, stores it, and enters it into the orders of its conversation, of all conversations and of the digests',
      ),
      goal(onSqlite, 22, 'SQLite primary at 64 / one commit a message', 3.5),
    ],
    settings: {
      rounds: ROUNDS,
      sampleSeconds: SAMPLE_SECONDS,
      conversations: engines.CONVERSATIONS,
    },
  })
} finally {
  await redis.stop()
  await rm(scratch, { recursive: true, force: true })
}
