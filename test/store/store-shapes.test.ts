// Goal: the calls of the store have the described shapes. Method: a store on memory.
import { expect, onTestFinished, test } from 'vitest'
import {
  StrategicStorageManager,
  StrategyFactory,
  type StrategicStorageConfig,
} from '../../src/index.ts'

async function open(
  config: Partial<StrategicStorageConfig> = {},
): Promise<StrategicStorageManager> {
  const store = await made(config)
  onTestFinished(() => store.disconnect())
  await store.connect()
  return store
}

async function made(config: Partial<StrategicStorageConfig>): Promise<StrategicStorageManager> {
  const set = await StrategyFactory.createStrategySet({ wal: 'in-memory' })
  return new StrategicStorageManager(
    { primary: { database: 'memory:' }, backup: { database: 'memory:' }, ...config },
    set.readStrategy,
    set.writeStrategy,
    set.healthManager,
    set.walManager,
  )
}

test('several values are set from an object or pairs, and read as an object', async () => {
  const store = await open()
  await store.mset({ a: 1, b: [2] })
  await store.mset(new Map([['c', 3]]))
  await store.mset([['__proto__', 4]])
  const found = await store.mget(['a', 'b', 'c', '__proto__', 'toString', 'none'])
  expect(Object.getPrototypeOf(found)).toBeNull()
  expect(Object.entries(found)).toEqual([
    ['a', 1],
    ['b', [2]],
    ['c', 3],
    ['__proto__', 4],
  ])
  expect('toString' in found).toBe(false)
  await expect(store.mset(7 as never)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
})

test('the health of the places stands beside that of the log', async () => {
  const store = await made({})
  expect(store.getHealthStatus().connected).toBe(false)
  await store.connect()
  const { connected, backends, walStats } = store.getHealthStatus()
  expect(connected).toBe(true)
  expect([backends.primary.healthy, backends.backup.healthy]).toEqual([true, true])
  expect(walStats.log?.type).toBe('in-memory')
  await store.disconnect()
  expect(store.getHealthStatus().connected).toBe(false)
})

test('the backends of a place are there while it is connected', async () => {
  const store = await made({ cache: { cache: 'memory:' } })
  for (const place of ['primary', 'backup', 'cache'] as const) {
    expect(store.getBackends(place)).toBeNull()
  }
  await store.connect()
  expect(store.getBackends()).toBe(store.getBackends('primary'))
  const { primary, backup, cache } = store.getStorageManagers()
  expect(store.getBackends('primary')).toBe(primary.getBackends())
  expect(store.getBackends('backup')).toBe(backup.getBackends())
  expect(store.getBackends('cache')).toBe(cache!.getBackends())
  expect(() => store.getBackends('wal' as never)).toThrow('place must be')
  await store.disconnect()
  expect(store.getBackends()).toBeNull()
})

test('a store without a cache of its own has no place for one', async () => {
  const store = await open()
  expect(store.getStorageManagers().cache).toBeUndefined()
  expect(store.getBackends('cache')).toBeNull()
})

test('the log is cleaned of what is older than a day, unless another time is given', async () => {
  const store = await open()
  await store.set('k', 1)
  await store.flushWAL()
  expect(await store.cleanupWAL()).toBe(0)
  expect(await store.cleanupWAL(Date.now())).toBe(0)
  await expect(store.cleanupWAL(-1)).rejects.toThrow('beforeTimestamp must be')
})

test('what a place cannot read rejects, and is not absent', async () => {
  const store = await open()
  await store.set('k', 1)
  await store.disconnect()
  await expect(store.mget(['k'])).rejects.toMatchObject({ code: 'CLOSED' })
  await expect(store.exists('k')).rejects.toMatchObject({ code: 'CLOSED' })
})
