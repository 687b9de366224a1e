// Goal: whatever happens to the primary, saves and reads go on, every read of the process has all
// that was acknowledged, once and in order, and afterwards both databases hold the same.
// Method: sessions save and read all the while; a private PostgreSQL server is killed, stopped or
// cut off under them. SQLite backup and file log are real too.
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { FaultProxy } from '../../src/testing/fault-proxy.ts'
import { startPostgres, type PostgresServer } from '../support/postgres-server.ts'
import { describeServers } from './support/describe-servers.ts'
import { storeRig } from './support/store-rig.ts'
import { Workload } from './support/workload.ts'

interface Outage {
  begin(server: PostgresServer, proxy: FaultProxy): void | Promise<void>
  end(server: PostgresServer, proxy: FaultProxy): void | Promise<void>
  /** Some calls get through. */
  readonly partial?: true
}

const lift = (_server: PostgresServer, proxy: FaultProxy): Promise<void> =>
  proxy.set({ kind: 'pass' })

const OUTAGES: Readonly<Record<string, Outage>> = {
  'killed and started again': {
    begin: (server) => server.kill(),
    end: (server) => server.restart(),
  },
  'shut down and started again': {
    begin: (server) => server.restart(),
    end: () => {},
    partial: true,
  },
  'stopped with SIGSTOP': { begin: (server) => server.pause(), end: (server) => server.resume() },
  'cut off by a partition': { begin: (_, proxy) => proxy.set({ kind: 'black-hole' }), end: lift },
  'unable to answer': {
    begin: (_, proxy) => proxy.set({ kind: 'black-hole', direction: 'down' }),
    end: lift,
  },
  'losing every reply': {
    begin: (_, proxy) => proxy.set({ kind: 'drop', direction: 'down' }),
    async end(_, proxy) {
      await proxy.set({ kind: 'pass' })
      // TCP delivers what was dropped, or ends the connection: it never goes on with a gap.
      proxy.killAll()
    },
  },
  'reset in the middle of requests': {
    begin: (_, proxy) => proxy.set({ kind: 'cut', bytes: 3_000, direction: 'up' }),
    end: lift,
    partial: true,
  },
  'reset instead of replies': {
    begin: (_, proxy) => proxy.set({ kind: 'cut', bytes: 600, direction: 'down' }),
    end: lift,
    partial: true,
  },
  'refusing connections': {
    async begin(_, proxy) {
      await proxy.set({ kind: 'refuse' })
      proxy.killAll()
    },
    end: lift,
  },
}

/** What every outage is tried with; the other strategies get two of them. */
const CASES = [
  ...Object.keys(OUTAGES).map((outage) => ({ outage, write: 'idempotent' as const })),
  ...(['wal-first', 'dual-write'] as const).flatMap((write) =>
    ['killed and started again', 'stopped with SIGSTOP'].map((outage) => ({ outage, write })),
  ),
]

describeServers('PostgreSQL, SQLite and a file log', () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(() => server.stop())

  test.each(CASES)(
    '$write: nobody notices a primary that is $outage',
    async ({ outage, write }) => {
      const { begin, end, partial } = OUTAGES[outage]!
      const { proxy, open, places } = await storeRig(server)
      const history = await open({ write: { type: write, config: { timeout: 2_000 } } })
      const workload = new Workload({ history })
      const { ledger } = workload
      await workload.proceed(50)
      const before = ledger.receipts.length
      await begin(server, proxy)
      await workload.proceed(100)
      const during = ledger.receipts.slice(before)
      await end(server, proxy)
      await workload.proceed(50)
      await workload.stop()
      await history.flush()
      await ledger.compare(await places())
      expect(ledger.examples).toEqual([])
      expect(ledger.verdict).toMatchObject({ failedSaves: 0, failedReads: 0 })
      expect(ledger.verdict).toMatchObject({ lost: 0, doubled: 0, reordered: 0 })
      expect(ledger.receipts.every(({ durable }) => durable)).toBe(true)
      // The outage was one: the primary was missed, at least by some.
      if (partial !== true) {
        expect(during.some(({ copies }) => !copies.includes('primary'))).toBe(true)
      }
      // Two places, whatever happens to one of them; the log alone is what wal-first promises.
      const copies = write === 'wal-first' ? 1 : 2
      expect(ledger.receipts.filter((receipt) => receipt.copies.length < copies)).toEqual([])
    },
  )
})
