// Goal: outages that overlap and follow each other at random, one database and the log at a time at
// most, cost no save and no read, and nothing is lost, doubled or moved.
// Method: a seed makes the sequence of outages; sessions save and read all the while.
// EVERTHREAD_CHAOS_SEEDS=1,2,3 and EVERTHREAD_CHAOS_STEPS run more; a failure names its seed.
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { DatabaseSync } from '@photostructure/sqlite'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { nodeEnv } from '../../src/core/node-env.ts'
import type { FaultProxy } from '../../src/testing/fault-proxy.ts'
import { startPostgres, type PostgresServer } from '../support/postgres-server.ts'
import { describeServers } from './support/describe-servers.ts'
import { failingDisk, type FailingDisk } from './support/failing-disk.ts'
import { storeRig } from './support/store-rig.ts'
import { Workload } from './support/workload.ts'

const SEEDS = (process.env['EVERTHREAD_CHAOS_SEEDS'] ?? '1').split(',').map(Number)
const STEPS = Number(process.env['EVERTHREAD_CHAOS_STEPS'] ?? 4)
const STRATEGIES = ['idempotent', 'wal-first', 'dual-write'] as const
const READS = ['primary-first', 'failover'] as const

interface Target {
  readonly server: PostgresServer
  readonly proxy: FaultProxy
  readonly disk: FailingDisk
  readonly file: string
}

/** Begins an outage and returns what ends it. */
type Outage = (target: Target) => Promise<() => void | Promise<void>>

const onProxy =
  (...fault: Parameters<FaultProxy['set']>): Outage =>
  async ({ proxy }) => {
    await proxy.set(...fault)
    return () => proxy.set({ kind: 'pass' })
  }

const DATABASE_OUTAGES: Readonly<Record<string, Outage>> = {
  async kill({ server }) {
    await server.kill()
    return once(() => server.restart())
  },
  async stop({ server }) {
    server.pause()
    return () => server.resume()
  },
  blackHole: onProxy({ kind: 'black-hole' }),
  async dropReplies({ proxy }) {
    await proxy.set({ kind: 'drop', direction: 'down' })
    return async () => {
      await proxy.set({ kind: 'pass' })
      // TCP delivers what was dropped, or ends the connection: it never goes on with a gap.
      proxy.killAll()
    }
  },
  cutRequests: onProxy({ kind: 'cut', bytes: 2_000, direction: 'up' }),
  cutReplies: onProxy({ kind: 'cut', bytes: 500, direction: 'down' }),
  slow: onProxy({ kind: 'delay', delayMs: 120 }),
  async refuse({ proxy }) {
    await proxy.set({ kind: 'refuse' })
    proxy.killAll()
    return () => proxy.set({ kind: 'pass' })
  },
  async lockedBackup({ file }) {
    const other = new DatabaseSync(file, { timeout: 5_000 })
    other.exec('BEGIN EXCLUSIVE')
    return once(() => other.close())
  },
}

const LOG_OUTAGES: Readonly<Record<string, Outage>> = {
  async brokenDisk({ disk }) {
    disk.fail('EIO')
    return () => disk.fail()
  },
  async fullDisk({ disk }) {
    disk.fail('ENOSPC', ['open', 'write'])
    return () => disk.fail()
  },
  hungDisk: ({ disk }) => Promise.resolve(disk.hang()),
  none: () => Promise.resolve(() => {}),
}

describeServers('outages at random', () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(() => server.stop())

  test.each(SEEDS)(
    'seed %i',
    async (seed) => {
      const pick = picker(seed)
      const disk = failingDisk()
      const { proxy, directory, open, places } = await storeRig(server)
      const write = { type: pick(STRATEGIES), config: { timeout: 1_500, hedge: { maxMs: 200 } } }
      const history = await open({ write, read: pick(READS), env: { ...nodeEnv(), disk } })
      const target = { server, proxy, disk, file: join(directory, 'backup.db') }
      const workload = new Workload({ history, writers: 2, pauseMs: 5 })
      const { ledger } = workload
      const steps: string[] = [write.type]
      await workload.proceed(30)
      for (let step = 0; step < STEPS; step++) {
        const database = pick(Object.keys(DATABASE_OUTAGES))
        const log = pick(Object.keys(LOG_OUTAGES))
        steps.push(`${database}+${log}`)
        // One database at a time: the one before has to be back.
        await expect.poll(() => history.status().overall, { timeout: 30_000 }).toBe('ok')
        const end = await DATABASE_OUTAGES[database]!(target)
        onTestFinished(end)
        await workload.proceed(pick([1, 10, 40]))
        const endLog = await LOG_OUTAGES[log]!(target)
        await workload.proceed(pick([1, 10, 40]))
        await (pick([true, false]) ? end() : endLog())
        await sleep(pick([0, 50, 300]))
        await end()
        await endLog()
        await workload.proceed(pick([1, 10, 40]))
      }
      await workload.stop()
      await expect.poll(() => history.status().wal.state, { timeout: 30_000 }).toBe('open')
      await history.flush()
      await ledger.compare(await places())
      const { failedSaves, failedReads, lost, doubled, reordered } = ledger.verdict
      expect({
        steps,
        failedSaves,
        failedReads,
        lost,
        doubled,
        reordered,
        why: ledger.examples,
      }).toEqual({
        steps,
        failedSaves: 0,
        failedReads: 0,
        lost: 0,
        doubled: 0,
        reordered: 0,
        why: [],
      })
    },
    300_000,
  )
})

/** An end that may be called again. */
function once(end: () => void | Promise<void>): () => Promise<void> {
  let ended: Promise<void> | undefined
  return () => (ended ??= Promise.resolve(end()))
}

/** Picks at random, the same for the same seed. */
function picker(seed: number): <T>(values: readonly T[]) => T {
  let state = Math.imul(seed, 0x9e3779b1) >>> 0
  return (values) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return values[Math.floor((state / 2 ** 32) * values.length)]!
  }
}
