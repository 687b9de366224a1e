// Goal: a store without a backup keeps what it acknowledges in primary and log, says so, and asks nothing of
// a place that it does not have. Method: a primary that can be made to fail.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest'
import { DurableMemoryBackend } from '../../src/testing/durable-memory-backend.ts'
import { eventually } from '../../src/testing/eventually.ts'
import { faultyBackend, type FaultyBackend } from '../../src/testing/faulty-backend.ts'
import type { ReadChoice, WriteChoice } from '../../src/core.ts'
import { StrategicStorageManager, StrategyFactory } from '../../src/index.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'everthread-no-backup-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

async function open(
  primary: FaultyBackend,
  { read, write }: { readonly read?: ReadChoice; readonly write?: WriteChoice } = {},
): Promise<StrategicStorageManager> {
  const store = new StrategicStorageManager(
    { primary, drainTimeout: 200 },
    StrategyFactory.createReadStrategy(read),
    StrategyFactory.createWriteStrategy(write),
    StrategyFactory.createHealthManager('circuit-breaker', {
      circuitOpenDuration: 50,
      healthCheckInterval: 20,
    }),
    StrategyFactory.createWALManager('file', { filePath: join(folder, 'wal'), gatherMs: 0 }),
  )
  onTestFinished(() => store.disconnect())
  await store.connect()
  return store
}

function primaryOf(): FaultyBackend {
  return faultyBackend(new DurableMemoryBackend())
}

test.each(['idempotent', 'wal-first', 'dual-write'] as const)(
  '%s: primary and log are the two places, in receipts and status',
  async (write) => {
    const store = await open(primaryOf(), { write })
    const { copies, durable } = await store.set('k', 1)
    expect(copies).toContain('wal')
    expect(copies).not.toContain('backup')
    expect(durable).toBe(true)
    await store.appendItems('list', [{ id: 'a', value: 1 }])
    expect((await store.delete('gone')).copies).toEqual(['primary', 'wal'])
    await store.flushWAL()
    expect(await store.get('k')).toBe(1)
    expect((await store.readItems({ key: 'list', limit: 9, order: 'oldest' })).complete).toBe(true)
    const status = store.status()
    expect(status).toMatchObject({ overall: 'ok', trusted: true })
    expect(status.places.backup).toMatchObject({
      type: 'none',
      connected: false,
      healthy: false,
      durable: false,
      reasons: ['the configuration has no backup'],
      pending: 0,
    })
    expect(store.getHealthStatus().backends).toMatchObject({
      primary: { healthy: true },
      backup: { healthy: false, failures: 0 },
    })
    expect(store.hasBackup()).toBe(false)
    expect(store.getBackends('backup')).toBeNull()
  },
)

test.each(['primary-first', 'failover'] as const)(
  '%s: while the primary is out the log takes writes, nothing is read, and all comes back',
  async (read) => {
    const primary = primaryOf()
    const store = await open(primary, { read })
    await store.set('before', 1)
    primary.setMode('refused')
    expect((await store.set('during', 2)).copies).toEqual(['wal'])
    await expect(store.get('before')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(store.status().overall).toBe('degraded')
    primary.setMode('up')
    await eventually(async () => expect(await store.get('during')).toBe(2))
    await store.flushWAL()
    expect(store.status().places.primary.pending).toBe(0)
    expect(store.getHealthStatus().backends.backup.failures).toBe(0)
  },
)

test('what the log took is in the primary after a restart', async () => {
  const primary = primaryOf()
  const first = await open(primary)
  primary.setMode('refused')
  await first.set('k', 1)
  await first.disconnect()
  primary.setMode('up')
  const second = await open(primary)
  await eventually(async () => expect(await second.get('k')).toBe(1))
})

test('there is nothing to compare', async () => {
  const store = await open(primaryOf())
  for (const call of [store.reconcile(), store.verify(), store.repair()]) {
    await expect(call).rejects.toMatchObject({ code: 'UNSUPPORTED', place: 'backup' })
  }
})

test('an erase and a clear are complete with the places that there are', async () => {
  const store = await open(primaryOf())
  await store.append('k', 'secret')
  const { operations } = await store.delete('k')
  expect(await store.waitUntilCleared('k', operations[0]!.stamp)).toEqual(['primary'])
  await store.append('k', 'secret')
  expect((await store.erase('key', 'k')).complete).toBe(true)
})

test('two durable places are asked for where there are two', async () => {
  const primary = primaryOf()
  const store = await open(primary, { write: { type: 'idempotent', config: { minCopies: 2 } } })
  expect((await store.set('k', 1)).copies).toEqual(['primary', 'wal'])
  primary.setMode('refused')
  await expect(store.set('k', 2)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
})

test('a strategy of the application’s own is handed no backup', async () => {
  let handed: object = {}
  const read = {
    name: 'own',
    config: {},
    async execute(_key: string, managers: object) {
      handed = managers
      return 1
    },
  }
  const store = new StrategicStorageManager(
    { primary: 'memory:' },
    read,
    StrategyFactory.createWriteStrategy('dual-write'),
    StrategyFactory.createHealthManager(),
    StrategyFactory.createWALManager('in-memory'),
  )
  onTestFinished(() => store.disconnect())
  await store.connect()
  expect(await store.get('k')).toBe(1)
  expect(Object.keys(handed)).toEqual(['primary'])
})
