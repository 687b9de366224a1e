// Goal: with the primary killed and started again in a loop no save fails, and none is lost, doubled
// or moved; with the primary stopped, each save is acknowledged by two other places.
// Method: `bench/failover.mjs` runs the same at full length and measures; here it is only counted.
// EVERTHREAD_FAILOVER_SAVES and EVERTHREAD_FAILOVER_KILLS make it longer.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startPostgres, type PostgresServer } from '../support/postgres-server.ts'
import { describeServers } from './support/describe-servers.ts'
import { failoverReport, runKills, runStop } from './support/failover-run.ts'
import { Ledger } from './support/ledger.ts'
import { storeRig } from './support/store-rig.ts'

const SAVES = Number(process.env['EVERTHREAD_FAILOVER_SAVES'] ?? 2_000)
const KILLS = Number(process.env['EVERTHREAD_FAILOVER_KILLS'] ?? 5)
const CLEAN = { failedSaves: 0, failedReads: 0, lost: 0, doubled: 0, reordered: 0 }

describeServers('failover', () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(() => server.stop())

  test(`of ${SAVES} saves none fails or is lost while the primary is killed ${KILLS} times`, async () => {
    const { open, places } = await storeRig(server)
    const history = await open()
    const ledger = await runKills({ history, server, saves: SAVES, kills: KILLS, sessions: 8 })
    await history.flush()
    await ledger.compare(await places())
    const report = failoverReport(ledger, KILLS)
    expect(ledger.examples).toEqual([])
    expect(report).toMatchObject(CLEAN)
    expect(report.saves).toBeGreaterThanOrEqual(SAVES)
    // The kills were felt.
    expect(report.withoutPrimary).toBeGreaterThan(0)
  }, 600_000)

  test('saves during SIGSTOP are acknowledged by the backup and the log', async () => {
    const { open, places } = await storeRig(server)
    const history = await open()
    const ledger = new Ledger()
    const { receipts } = await runStop(history, server, ledger, { warmUp: 50, saves: 50 })
    for (const { copies } of receipts) expect(copies).toEqual(['backup', 'wal'])
    await ledger.read(history, 'stopped')
    await history.flush()
    await ledger.compare(await places())
    expect(ledger.examples).toEqual([])
    expect(ledger.verdict).toMatchObject(CLEAN)
  })
})
