// Goal: while the log's disk fails, saves go on with primary and backup; what is acknowledged while
// the log hangs is read back all the same; when the disk works again, so does the log.
// Method: a disk that fails on demand under the file log, PostgreSQL and SQLite beside it.
import { join } from 'node:path'
import { DatabaseSync } from '@photostructure/sqlite'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { nodeEnv } from '../../src/core/node-env.ts'
import { startPostgres, type PostgresServer } from '../support/postgres-server.ts'
import { describeServers } from './support/describe-servers.ts'
import { failingDisk, type DiskCall } from './support/failing-disk.ts'
import { Ledger } from './support/ledger.ts'
import { placeContents } from './support/place-contents.ts'
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

  test('that fails while the primary hangs leaves saves to the backup, when their time is up', async () => {
    const disk = failingDisk()
    const { proxy, open, places } = await storeRig(server)
    const write = { type: 'idempotent', config: { timeout: 1_000, hedge: { maxMs: 100 } } } as const
    const history = await open({ env: { ...nodeEnv(), disk }, write })
    const ledger = new Ledger()
    await ledger.save(history, 'c', 'before')
    disk.fail('ENOSPC')
    await proxy.set({ kind: 'black-hole' })
    await Promise.all([0, 1, 2].map((i) => ledger.save(history, 'c', `${i}`)))
    expect(ledger.receipts.slice(1).map(({ copies }) => copies)).toEqual(
      Array.from({ length: 3 }, () => ['backup']),
    )
    disk.fail()
    await proxy.set({ kind: 'pass' })
    await history.flush()
    await ledger.read(history, 'c')
    await ledger.compare(await places())
    expect(ledger.examples).toEqual([])
    expect(ledger.verdict).toMatchObject(CLEAN)
  })

  test.each(['idempotent', 'wal-first'] as const)(
    '%s: takes saves alone while the primary is away and the backup is locked',
    async (type) => {
      const { directory, proxy, open, places } = await storeRig(server)
      // With wal-first nobody waits for the others: the test would run out of time.
      const timeout = type === 'wal-first' ? 60_000 : 500
      const path = join(directory, 'backup.db')
      const backup = { type: 'sqlite', path, busyTimeoutMs: 120_000 } as const
      const history = await open({ backup, write: { type, config: { timeout } } })
      const ledger = new Ledger()
      await ledger.save(history, 'c', 'before')
      const other = new DatabaseSync(path, { timeout: 5_000 })
      other.exec('BEGIN EXCLUSIVE')
      await proxy.set({ kind: 'refuse' })
      proxy.killAll()
      for (let i = 0; i < 5; i++) await ledger.save(history, 'c', `${i}`)
      expect(ledger.receipts.at(-1)!.copies).toEqual(['wal'])
      other.close()
      await proxy.set({ kind: 'pass' })
      await history.flush()
      await ledger.read(history, 'c')
      await ledger.compare(await places())
      expect(ledger.examples).toEqual([])
      expect(ledger.verdict).toMatchObject(CLEAN)
    },
  )

  test('that fails, and a backup that hangs, leave saves to a primary that was given up', async () => {
    const disk = failingDisk()
    const { directory, proxy, open, places } = await storeRig(server)
    const path = join(directory, 'backup.db')
    // Nobody but a save finds out that the primary is back.
    const config = { circuitOpenDuration: 600_000, healthCheckInterval: 600_000 }
    const history = await open({
      env: { ...nodeEnv(), disk },
      backup: { type: 'sqlite', path, busyTimeoutMs: 120_000 },
      write: { type: 'idempotent', config: { timeout: 2_000, hedge: { maxMs: 100 } } },
      health: { type: 'circuit-breaker', config },
    })
    const ledger = new Ledger()
    await proxy.set({ kind: 'refuse' })
    proxy.killAll()
    for (let i = 0; history.status().places.primary.circuit === 'closed'; i++) {
      await ledger.save(history, 'c', `given up ${i}`)
    }
    await proxy.set({ kind: 'pass' })
    disk.fail('EIO')
    const other = new DatabaseSync(path, { timeout: 5_000 })
    other.exec('BEGIN EXCLUSIVE')
    await ledger.save(history, 'c', 'last')
    expect(ledger.receipts.at(-1)!.copies).toEqual(['primary'])
    other.close()
    disk.fail()
    await ledger.read(history, 'c')
    expect(ledger.examples).toEqual([])
    await history.close()
    const healed = await open()
    await healed.flush()
    await ledger.compare(await places())
    expect(ledger.examples).toEqual([])
    expect(ledger.verdict).toMatchObject(CLEAN)
  })

  test('a save that nobody took in time is in both databases or in none, if one takes it late', async () => {
    const disk = failingDisk()
    const { directory, proxy, open, places } = await storeRig(server)
    // The backup is asked late, so that its own time is not up when that of the save is.
    const hedge = { minMs: 250, maxMs: 250 }
    const write = { type: 'idempotent', config: { timeout: 300, maxRetries: 0, hedge } } as const
    const history = await open({ env: { ...nodeEnv(), disk }, write })
    await history.saveMessage('c', { role: 'user', content: 'before' })
    await history.flush()
    const wake = disk.hang()
    await proxy.set({ kind: 'drop' })
    const other = new DatabaseSync(join(directory, 'backup.db'), { timeout: 5_000 })
    other.exec('BEGIN EXCLUSIVE')
    await expect(history.saveMessage('c', { role: 'user', content: 'late' })).rejects.toMatchObject(
      { code: 'TIMEOUT', effect: 'unknown' },
    )
    other.close()
    await proxy.set({ kind: 'pass' })
    wake()
    const { primary, backup } = await places()
    await expect
      .poll(
        async () => {
          await history.flush()
          const [one, two] = await Promise.all([
            placeContents(primary, 'c'),
            placeContents(backup, 'c'),
          ])
          return one.length === two.length && history.status().wal.owedGroups === 0
        },
        { timeout: 20_000 },
      )
      .toBe(true)
  })
})
