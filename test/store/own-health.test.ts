// Goal: a health manager of an application's own chooses what is tried first and can spoil nothing: whatever it
// throws or leaves out, no call fails and no process ends. Method: stores on memory with managers written here.
import { expect, onTestFinished, test, vi } from 'vitest'
import { MemoryBackend, type KeyRead } from '../../src/core.ts'
import {
  StorageError,
  StrategicStorageManager,
  StrategyFactory,
  type HealthManager,
  type Logger,
} from '../../src/index.ts'

/** Those that a store calls. */
const METHODS = [
  'isHealthy',
  'markSuccess',
  'markFailure',
  'getHealthStats',
  'startHealthCheck',
  'stopHealthCheck',
] as const

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} }

/** Answers with as little as can be. */
function bare(healthy = true): HealthManager {
  const methods = METHODS.map((method) => [method, () => undefined] as const)
  return { ...Object.fromEntries(methods), isHealthy: () => healthy } as unknown as HealthManager
}

/** Fails the first read, so that there is a failure to be marked. */
class FailsOnce extends MemoryBackend {
  #failed = false
  override async readRegister(key: string): Promise<KeyRead> {
    if (this.#failed) return await super.readRegister(key)
    this.#failed = true
    throw new StorageError('UNAVAILABLE', 'away for a moment')
  }
}

async function open(health: HealthManager, logger = silent): Promise<StrategicStorageManager> {
  const store = new StrategicStorageManager(
    { primary: new FailsOnce(), backup: 'memory:', logger },
    StrategyFactory.createReadStrategy('failover'),
    StrategyFactory.createWriteStrategy('wal-first'),
    health,
    StrategyFactory.createWALManager('in-memory'),
  )
  onTestFinished(() => store.disconnect())
  await store.connect()
  return store
}

/** Longer than a round of what looks after the places. Milliseconds. */
const ROUND_MS = 300

async function use(store: StrategicStorageManager): Promise<void> {
  await store.set('k', 1)
  expect(await store.get('k')).toBe(1)
  await new Promise((resolve) => setTimeout(resolve, ROUND_MS))
  await store.flushWAL()
  expect(await store.get('k')).toBe(1)
  expect(await store.getBackends('backup')!.database.get('k')).toBe(1)
}

test.each(METHODS)('a health manager that throws in %s spoils nothing', async (method) => {
  const error = vi.fn<Logger['error']>()
  const health = bare()
  health[method] = () => {
    throw new Error('sick')
  }
  const store = await open(health, { ...silent, error })
  await use(store)
  const { backends } = store.getHealthStatus()
  expect([backends.primary.healthy, backends.backup.healthy]).toEqual([true, true])
  await store.disconnect()
  const said = error.mock.calls.filter(([, text]) => text === `the health manager threw: ${method}`)
  expect(said).toHaveLength(1)
})

test('one that rejects when it is stopped spoils nothing', async () => {
  const store = await open({ ...bare(), stopHealthCheck: () => Promise.reject(new Error('sick')) })
  await use(store)
  await store.disconnect()
})

test('what its statistics lack is filled in from what it says of the place', async () => {
  const store = await open(bare(false))
  const { primary } = store.getHealthStatus().backends
  expect([primary.place, primary.healthy, primary.latency.samples]).toEqual(['primary', false, 0])
  const partial = { ...bare(), getHealthStats: () => ({ failures: 3 }) } as unknown as HealthManager
  expect((await open(partial)).getHealthStatus().backends.backup).toMatchObject({
    healthy: true,
    failures: 3,
    failureHistory: [],
  })
})

test('without a probe nothing is started', async () => {
  const health = StrategyFactory.createHealthManager('simple')
  health.startHealthCheck()
  await health.stopHealthCheck()
})
