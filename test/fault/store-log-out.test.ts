// Goal: while the log's disk fails, saves go on with primary and backup; what is acknowledged while
// the log hangs is read back all the same; when the disk works again, so does the log.
// Method: a disk that fails on demand under the file log, PostgreSQL and SQLite beside it.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { nodeEnv } from '../../src/core/node-env.ts'
import { startPostgres, type PostgresServer } from '../support/postgres-server.ts'
import { describeServers } from './support/describe-servers.ts'
import { failingDisk, type DiskCall } from './support/failing-disk.ts'
import { Ledger } from './support/ledger.ts'
import { storeRig } from './support/store-rig.ts'
import { Workload } from './support/workload.ts'

const CLEAN = { failedSaves: 0, failedReads: 0, lost: 0, doubled: 0, reordered: 0 }

const FAULTS: readonly (readonly ['EIO' | 'ENOSPC', readonly DiskCall[]])[] = [
  ['EIO', ['sync']],
  ['EIO', ['open', 'write', 'sync']],
  ['ENOSPC', ['open', 'write']],
]

describeServers('a log', () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(() => server.stop())

  test.each(
    FAULTS.flatMap(([code, calls]) =>
      (['idempotent', 'wal-first', 'dual-write'] as const)
        .filter((write) => write === 'idempotent' || code === 'ENOSPC')
        .map((write) => ({ code, calls, write })),
    ),
  )('$write: whose disk says $code on $calls costs no save', async ({ code, calls, write }) => {
    const disk = failingDisk()
    const { open, places } = await storeRig(server)
    const history = await open({ write, env: { ...nodeEnv(), disk } })
    const workload = new Workload({ history })
    const { ledger } = workload
    await workload.proceed(50)
    const before = ledger.receipts.length
    disk.fail(code, calls)
    await workload.proceed(150)
    expect(disk.failures).toBeGreaterThan(0)
    const during = ledger.receipts.slice(before)
    expect(history.status()).toMatchObject({ overall: 'degraded', wal: { state: 'failed' } })
    disk.fail()
    await expect.poll(() => history.status().wal.state, { timeout: 20_000 }).toBe('open')
    await workload.proceed(50)
    await workload.stop()
    await history.flush()
    await ledger.compare(await places())
    expect(ledger.examples).toEqual([])
    expect(ledger.verdict).toMatchObject(CLEAN)
    expect(history.status().wal.owedGroups).toBe(0)
    // Two places out of three: without the log it is both databases.
    const withoutLog = during.filter(({ copies }) => !copies.includes('wal'))
    expect(withoutLog.length).toBeGreaterThan(100)
    for (const { copies } of withoutLog) expect(copies).toEqual(['primary', 'backup'])
  })

  test('that fails while the primary is out leaves saves to the backup, and loses nothing', async () => {
    const disk = failingDisk()
    const { proxy, open, places } = await storeRig(server)
    const history = await open({ env: { ...nodeEnv(), disk } })
    const workload = new Workload({ history })
    const { ledger } = workload
    await workload.proceed(50)
    disk.fail('ENOSPC')
    await proxy.set({ kind: 'refuse' })
    proxy.killAll()
    await workload.proceed(100)
    expect(ledger.receipts.at(-1)).toMatchObject({ copies: ['backup'], durable: true })
    expect(history.status().wal.owedGroups).toBeGreaterThan(0)
    await proxy.set({ kind: 'pass' })
    await workload.proceed(50)
    disk.fail()
    await workload.stop()
    await history.flush()
    await ledger.compare(await places())
    expect(ledger.examples).toEqual([])
    expect(ledger.verdict).toMatchObject(CLEAN)
  })

  test('that hangs hides nothing from reads: what the backup alone took is read back', async () => {
    const disk = failingDisk()
    const { proxy, open, places } = await storeRig(server)
    const history = await open({
      env: { ...nodeEnv(), disk },
      write: { type: 'idempotent', config: { timeout: 300 } },
    })
    const ledger = new Ledger()
    await ledger.save(history, 'c', 'before')
    const wake = disk.hang()
    await proxy.set({ kind: 'refuse' })
    proxy.killAll()
    for (let i = 0; i < 5; i++) await ledger.save(history, 'c', `hung ${i}`)
    expect(ledger.receipts.at(-1)!.copies).toEqual(['backup'])
    // The primary answers reads again and lacks them; so does the log, which still hangs.
    await proxy.set({ kind: 'pass' })
    await expect
      .poll(
        async () => {
          await ledger.read(history, 'c')
          return history.status().places.primary.healthy
        },
        { timeout: 20_000 },
      )
      .toBe(true)
    for (let i = 0; i < 20; i++) await ledger.read(history, 'c')
    wake()
    await history.flush()
    await ledger.compare(await places())
    expect(ledger.examples).toEqual([])
    expect(ledger.verdict).toMatchObject(CLEAN)
  })
})
