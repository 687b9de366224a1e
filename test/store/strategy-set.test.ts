// Goal: strategies are made by name and configuration, a set of them makes a store, and a set without a
// log is as safe as one with. Method: stores on memory, in a folder of their own.
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest'
import { nodeEnv } from '../../src/core.ts'
import {
  StrategicStorageManager,
  StrategyFactory,
  type Logger,
  type StrategicStorageConfig,
  type StrategySet,
  type StrategySetConfig,
} from '../../src/index.ts'

let folder: string
let before: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'everthread-set-'))
  before = process.cwd()
  process.chdir(folder)
})
afterEach(async () => {
  process.chdir(before)
  await rm(folder, { recursive: true, force: true })
})

test('the type and its configuration may be two arguments or one', () => {
  const { createReadStrategy, createWriteStrategy, createHealthManager } = StrategyFactory
  const health = createHealthManager('circuit-breaker', { failureThreshold: 5 })
  const read = createReadStrategy('failover', { maxRetries: 3, enableCacheMerge: true }, health)
  expect([read.name, read.config]).toEqual(['failover', { maxRetries: 3, enableCacheMerge: true }])
  const write = createWriteStrategy('dual-write', { enableIdempotency: true, timeout: 9 }, health)
  expect([write.name, write.config]).toEqual([
    'dual-write',
    { enableIdempotency: true, timeout: 9 },
  ])
  const cached = createReadStrategy({ type: 'cache-enhanced', config: { windowSize: 5 } })
  expect([cached.name, cached.config]).toEqual(['cache-enhanced', { windowSize: 5 }])
  expect(Object.isFrozen(cached.config)).toBe(true)
  const wal = StrategyFactory.createWALManager('in-memory', { maxEntries: 10, flushIntervalMs: 50 })
  expect(wal.hasLog()).toBe(true)
})

test.each<[() => unknown, string]>([
  [() => StrategyFactory.createReadStrategy('fastest' as never), 'primary-first, failover or'],
  [() => StrategyFactory.createWriteStrategy('often' as never), 'idempotent, wal-first or'],
  [() => StrategyFactory.createHealthManager('doctor' as never), 'circuit-breaker or simple'],
  [() => StrategyFactory.createWALManager('paper' as never), 'file, in-memory or redis-stream'],
  [() => StrategyFactory.createReadStrategy('failover', { timeot: 1 } as never), 'mean timeout?'],
  [
    () => StrategyFactory.createHealthManager('circuit-breaker', { failureTreshold: 1 } as never),
    'did you mean failureThreshold?',
  ],
  [() => StrategyFactory.createReadStrategy({ type: 'failover', config: {} }, {}), 'once'],
  [() => StrategyFactory.createWALManager({ type: 'file', config: {} }, {}), 'once'],
])('%s is refused by name, with those that exist', (make, message) => {
  expect(make).toThrow(message)
})

test('an unknown field of a set is refused', async () => {
  const set = { reed: 'failover' } as StrategySetConfig
  await expect(StrategyFactory.createStrategySet(set)).rejects.toThrow('did you mean read?')
})

test.each(['idempotent', 'wal-first'] as const)(
  'a set for %s without a log has one in files at the default folder, and says so once',
  async (write) => {
    const { logger, lines } = recorder()
    const store = storeOf(await StrategyFactory.createStrategySet({ write, logger }))
    await store.connect()
    const { copies } = await store.set('k', 1)
    expect(copies).toContain('wal')
    await store.disconnect()
    expect(lines).toEqual(['no log was given: one is kept in files at ./data/wal'])
    expect(await readdir(join(folder, 'data', 'wal'))).not.toEqual([])
  },
)

test('the store says so where the set has no logger', async () => {
  const { logger, lines } = recorder()
  const set = await StrategyFactory.createStrategySet()
  const store = storeOf(set, { logger })
  await store.connect()
  await store.disconnect()
  expect(lines).toEqual(['no log was given: one is kept in files at ./data/wal'])
})

test('a set whose write strategy needs no log has none', async () => {
  const { logger, lines } = recorder()
  const set = await StrategyFactory.createStrategySet({ write: 'dual-write', logger })
  expect(set.walManager).toBeUndefined()
  const store = storeOf(set)
  await store.connect()
  expect((await store.set('k', 1)).copies).toEqual(['primary', 'backup'])
  await store.disconnect()
  expect(lines).toEqual([])
})

test('a store that is given no log has the same one', async () => {
  const { logger, lines } = recorder()
  const store = new StrategicStorageManager(
    { primary: 'memory:', backup: 'memory:', env: nodeEnv({ logger }) },
    StrategyFactory.createReadStrategy('primary-first'),
    StrategyFactory.createWriteStrategy('idempotent'),
    StrategyFactory.createHealthManager('simple'),
  )
  onTestFinished(() => store.disconnect())
  await store.connect()
  expect(store.status().wal).toMatchObject({ type: 'file', durable: true })
  expect(lines).toHaveLength(1)
})

test('a strategy that is called by itself works in the store of its managers', async () => {
  const set = await StrategyFactory.createStrategySet({ wal: 'in-memory' })
  const store = storeOf(set)
  const managers = store.getStorageManagers()
  await expect(set.readStrategy.execute('k', managers)).rejects.toMatchObject({ code: 'CLOSED' })
  await store.connect()
  await set.writeStrategy.execute('k', { a: 1 }, managers, set.walManager)
  expect(await set.readStrategy.execute('k', managers)).toEqual({ a: 1 })
  await set.writeStrategy.execute('k', undefined, managers)
  expect(await store.get('k')).toBeUndefined()
  await store.disconnect()
  const none = { primary: managers.backup }
  await expect(set.readStrategy.execute('k', none)).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
  })
})

function storeOf(
  set: StrategySet,
  more: Partial<StrategicStorageConfig> = {},
): StrategicStorageManager {
  return new StrategicStorageManager(
    { primary: { database: 'memory:' }, backup: { database: 'memory:' }, ...more },
    set.readStrategy,
    set.writeStrategy,
    set.healthManager,
    set.walManager,
  )
}

function recorder(): { readonly logger: Logger; readonly lines: string[] } {
  const lines: string[] = []
  const keep = (_fields: object, message: string): void => void lines.push(message)
  return { logger: { debug: () => {}, info: keep, warn: keep, error: keep }, lines }
}
