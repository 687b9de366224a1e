// Goal: three processes on one PostgreSQL and one SQLite, with one shared log or a log in files each,
// keep every promise while any of them and of their servers is killed, stopped, cut off or full.
// Method: six writers append and clear, three readers read; all calls are written down and a checker
// that knows nothing of places judges them. `npm run soak` runs for long, and repeats a plan.
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { PostgresBackend } from '../../src/backend/postgres/backend.ts'
import type { ReplicaBackend } from '../../src/backend/replica-backend.ts'
import { SqliteBackend } from '../../src/backend/sqlite/backend.ts'
import { checkHistory } from '../../src/testing/history-checker/check-history.ts'
import { FaultProxy } from '../../src/testing/fault-proxy.ts'
import { seededRandom } from '../../src/testing/virtual-env.ts'
import { BuiltCli } from '../integration/cli-process.ts'
import { startPostgres, type PostgresServer } from '../support/postgres-server.ts'
import { redisCommand } from '../support/redis-command.ts'
import { describeRedis, startRedis, type RedisServer } from '../support/redis-server.ts'
import { freshPrefix } from '../support/redis-stream-wal.ts'
import { describeServers } from './support/describe-servers.ts'
import { CLOCK_JUMP_MS_MAX, faultsOf, PAUSE_MS, tally, type Layout } from './support/nemesis.ts'
import { placeContents } from './support/place-contents.ts'
import { mountSmallDisk } from './support/small-disk.ts'
import { recordedIn, WorkerProcess } from './support/worker-process.ts'

const MINUTES = Number(process.env['MINUTES'] ?? 0.3)
const SEED = Number(process.env['SEED'] ?? randomBytes(4).readUInt32LE())
/** With `everysec` Redis may wait with writing to its file, and forget what it acknowledged when killed. */
const FSYNC = SEED % 2 === 0 ? 'always' : 'everysec'
const CONVERSATIONS = ['a', 'b', 'c']
/** Attempts of a call with their timeouts, and what a stopped process adds. */
const DEADLINE_MS = 10_000 + PAUSE_MS

const ALL_LAYOUTS: readonly Layout[] = ['one shared log', 'a log in files for each']
/** Each gets its part of the time. */
const LAYOUTS = ALL_LAYOUTS.filter((layout) => layout.includes(process.env['LAYOUT'] ?? ''))
const LAYOUT_MINUTES = MINUTES / LAYOUTS.length

const built = new BuiltCli()
let redis: RedisServer
let postgres: PostgresServer
let directory: string

const describeBoth = describeServers === describe.skip ? describeServers : describeRedis

describeBoth('three processes', () => {
  beforeAll(async () => {
    redis = await startRedis({ appendfsync: FSYNC })
    postgres = await startPostgres()
    directory = await mkdtemp(join(tmpdir(), 'everthread-three-'))
  })
  afterAll(async () => {
    await redis?.stop()
    await postgres?.stop()
    await rm(directory, { recursive: true, force: true })
  })

  test.each(LAYOUTS)(
    'with %s lose, double, reorder and bring back nothing while everything fails in turn',
    { timeout: 2 * LAYOUT_MINUTES * 60_000 + 300_000 },
    async (layout) => {
      const home = await mkdtemp(join(directory, 'run-'))
      const walDirectory = join(home, 'wal')
      await mkdir(walDirectory)
      const random = seededRandom(SEED)
      const keyPrefix = freshPrefix()
      const schema = `three_${randomBytes(6).toString('hex')}`
      const sqlitePath = join(home, 'backup.db')
      const unmount = layout === 'one shared log' ? undefined : mountSmallDisk(walDirectory)
      const toRedis = await FaultProxy.open({ port: redis.port })
      const toPostgres = await FaultProxy.open({ port: postgres.port })
      const logs = [1, 2, 3].map((n) => join(home, `process-${n}.jsonl`))
      const postgresUrl = `postgres://postgres@127.0.0.1:${toPostgres.port}/postgres`
      const workers = logs.map(
        (log, i) =>
          new WorkerProcess({
            entry: built.entry,
            name: `p${i + 1}`,
            log,
            writers: 2,
            conversations: CONVERSATIONS,
            clearEvery: 60,
            options: {
              primary: { type: 'postgresql', url: postgresUrl, schema },
              backup: { type: 'sqlite', path: sqlitePath },
              wal:
                layout === 'one shared log'
                  ? `redis-stream://127.0.0.1:${toRedis.port}/0?keyPrefix=${keyPrefix}`
                  : { type: 'file', filePath: walDirectory },
              write: { type: 'idempotent', config: { timeout: 2_000 } },
              health: { type: 'circuit-breaker', config: { circuitOpenDuration: 500 } },
            },
          }),
      )
      const faults = faultsOf({
        layout,
        workers,
        toRedis,
        toPostgres,
        servers: { redis, postgres },
        sqlitePath,
        walDirectory,
        canFill: unmount !== undefined,
        random,
      })
      try {
        // One after another: the first makes the schema.
        for (const worker of workers) await worker.start()
        const until = performance.now() + LAYOUT_MINUTES * 60_000
        const names: string[] = []
        while (performance.now() < until) {
          const fault = faults[Math.floor(random() * faults.length)]!
          names.push((await fault.run()) ?? fault.name)
          await delay(300 + random() * 1_200)
        }
        await Promise.all(workers.map((worker) => worker.ask('stop', 'stopped')))
        // The clocks agree again. In SQLite a lease lasts until a time by the clock of its holder,
        // who may be dead: ahead of them all, so that it ends.
        for (const worker of workers) await worker.shiftClock(CLOCK_JUMP_MS_MAX)
        for (const worker of workers) {
          await expect
            .poll(() => worker.ask('drain', 'drain'), { timeout: 90_000 })
            .toBe('drain: done')
        }
        // What those that were killed left is taken over by the others, in their own time.
        await expect
          .poll(
            () =>
              layout === 'one shared log' ? leftInLog(keyPrefix) : deadLogs(walDirectory, workers),
            { timeout: 120_000, interval: 500 },
          )
          .toEqual([])
        await Promise.all(workers.map((worker) => worker.ask('drain', 'drain')))
        const before = differences(await contentsOf(schema, sqlitePath))
        // A process that was killed before its call was answered may have reached one place only:
        // nobody was promised anything, and it is for the reconciler to find.
        await expect
          .poll(() => workers[0]!.ask('reconcile', 'reconcile'), { timeout: 60_000 })
          .toBe('reconcile: done')
        const left = await Promise.all(workers.map((worker) => worker.ask('read', 'read')))
        await Promise.all(workers.map((worker) => worker.end()))
        const { records, errors } = recordedIn(logs)
        const places = await contentsOf(schema, sqlitePath)
        const violations = checkHistory(
          { records, places: textsOf(places) },
          {
            // Only what no common place decided is ordered by clocks.
            clockToleranceMs: 2 * CLOCK_JUMP_MS_MAX,
            deadlineMs: DEADLINE_MS,
            sharedLog: layout === 'one shared log',
            commonLog: layout === 'one shared log',
            sequencer: layout === 'one shared log' && FSYNC === 'always',
          },
        )
        const ok = records.filter(({ outcome }) => outcome === 'ok')
        const promised = new Set(ok.map((record) => ('content' in record ? record.content : '')))
        const broken = before.filter(({ content }) => promised.has(content))
        expect(broken, `acknowledged, and in one place only; seed ${SEED}`).toEqual([])
        console.log(
          `seed ${SEED}, ${layout}: ${records.length} calls, ${ok.filter(({ kind }) => kind !== 'read').length} acknowledged writes, ` +
            `${errors.length} errors, ${names.length} faults, ${violations.length} violations; ` +
            `${before.length} different before reconciling; left: ${left.join(' ')}; ${tally(names)}`,
        )
        const shown = violations.slice(0, 10).map(({ kind, text, records: related }) => ({
          kind,
          text,
          related: related.slice(0, 3).map((record) => ({ ...record, messages: undefined })),
        }))
        expect(shown, `seed ${SEED}`).toEqual([])
        // The run was worth something.
        expect(ok.filter(({ kind }) => kind === 'append').length).toBeGreaterThan(200)
        expect(ok.filter(({ kind }) => kind === 'clear').length).toBeGreaterThan(2)
      } finally {
        redis.resume()
        postgres.resume()
        for (const worker of workers) worker.resume()
        await Promise.all(workers.map((worker) => worker.end()))
        await toRedis.close()
        await toPostgres.close()
        unmount?.()
      }
    },
  )
})

/** Logs that no living process has. */
async function deadLogs(path: string, workers: readonly WorkerProcess[]): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true })
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)
  return folders.length <= workers.length ? [] : folders
}

interface Stored {
  readonly id: string
  readonly position: string
  readonly content: string
}

type Contents = Readonly<Record<'primary' | 'backup', readonly Stored[]>>

function textsOf({ primary, backup }: Contents): Record<string, string> {
  return { primary: JSON.stringify(primary), backup: JSON.stringify(backup) }
}

/** What one of the places has alone. */
function differences({ primary, backup }: Contents): readonly (Stored & { in: string })[] {
  const only = (
    name: string,
    own: readonly Stored[],
    other: readonly Stored[],
  ): (Stored & { in: string })[] => {
    const known = new Set(other.map((item) => JSON.stringify(item)))
    return own
      .filter((item) => !known.has(JSON.stringify(item)))
      .map((item) => ({ ...item, in: name }))
  }
  return [...only('primary', primary, backup), ...only('backup', backup, primary)]
}

async function contentsOf(schema: string, path: string): Promise<Contents> {
  const read = async (backend: ReplicaBackend): Promise<readonly Stored[]> => {
    await backend.connect()
    const items = await Promise.all(
      CONVERSATIONS.map((conversation) => placeContents(backend, conversation)),
    )
    await backend.disconnect()
    return items.flat().map(({ id, position, appended }) => {
      const { content } = JSON.parse(appended!) as { content: string }
      return { id, position, content }
    })
  }
  return {
    primary: await read(new PostgresBackend({ url: postgres.url, schema })),
    backup: await read(new SqliteBackend({ path })),
  }
}

/** What some place still lacks, as the log's own index has it. */
async function leftInLog(keyPrefix: string): Promise<readonly string[]> {
  const names = (await redisCommand(redis.url, 'KEYS', `${keyPrefix}*:i:*`)) as string[]
  return names.map((name) => `the log still has ${name}`)
}
