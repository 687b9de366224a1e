// Goal: every read, write, health and log strategy goes with every other, as one program uses them. Method:
// the described calls, on memory and on SQLite, with each combination.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { WalChoice } from '../../src/core.ts'
import { StrategicStorageManager, StrategyFactory, type PlaceConfig } from '../../src/index.ts'
import { describeRedis, startRedis, type RedisServer } from '../support/redis-server.ts'

const READS = ['primary-first', 'cache-enhanced', 'failover'] as const
const WRITES = ['idempotent', 'wal-first', 'dual-write'] as const
const HEALTHS = ['circuit-breaker', 'simple'] as const
const LOGS = ['file', 'in-memory'] as const

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'everthread-combinations-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

interface Combination {
  readonly read: (typeof READS)[number]
  readonly write: (typeof WRITES)[number]
  readonly health: (typeof HEALTHS)[number]
}

const COMBINATIONS: readonly Combination[] = READS.flatMap((read) =>
  WRITES.flatMap((write) => HEALTHS.map((health) => ({ read, write, health }))),
)

/** Writes and reads as the described program does, and leaves nothing behind. */
async function run(
  { read, write, health }: Combination,
  wal: WalChoice,
  place: (name: string) => PlaceConfig,
): Promise<void> {
  const set = await StrategyFactory.createStrategySet({
    read: { type: read, config: { maxRetries: 1, retryDelay: 10, enableCacheMerge: true } },
    write: { type: write, config: { enableIdempotency: true, timeout: 30_000 } },
    health: { type: health, config: { healthCheckInterval: 500 } },
    wal,
  })
  const store = new StrategicStorageManager(
    { primary: place('primary'), backup: place('backup'), cache: { cache: 'memory:' } },
    set.readStrategy,
    set.writeStrategy,
    set.healthManager,
    set.walManager,
  )
  await store.connect()
  try {
    await store.set('k', { n: 1 })
    await store.mset({ l: [2], m: 'three' })
    expect(await store.get('k')).toEqual({ n: 1 })
    expect({ ...(await store.mget(['k', 'l', 'none'])) }).toEqual({ k: { n: 1 }, l: [2] })
    await store.append('list', 'a')
    await store.append('list', 'b')
    expect(await store.getRange('list', 0, 10)).toEqual(['a', 'b'])
    await store.delete('m')
    expect([await store.exists('k'), await store.exists('m')]).toEqual([true, false])
    await store.flushWAL()
    for (const name of ['primary', 'backup'] as const) {
      const { database } = store.getBackends(name)!
      expect(await database.get('k')).toEqual({ n: 1 })
      expect(await database.get('m')).toBeUndefined()
      expect(await database.getRange('list', 0, 10)).toEqual(['a', 'b'])
    }
    expect(store.getHealthStatus()).toMatchObject({
      connected: true,
      backends: { primary: { healthy: true }, backup: { healthy: true } },
    })
    expect(store.status().strategies).toEqual({ read, write })
    expect(await store.cleanupWAL()).toBe(0)
  } finally {
    await store.disconnect()
  }
  expect(store.getBackends()).toBeNull()
}

let runs = 0

describe.each(LOGS)('with the log %s', (type) => {
  test.each(COMBINATIONS)('$read, $write and $health go together on memory', async (each) => {
    await run(each, logOf(type), () => ({ database: { type: 'in-memory' } }))
  })
})

describe('on SQLite', () => {
  test.each(COMBINATIONS)('$read, $write and $health go together', async (each) => {
    const path = join(folder, `sqlite-${runs++}`)
    await run(each, logOf('file'), (database) => ({
      database: { type: 'sqlite', path, database: `${database}.db` },
    }))
  })
})

describeRedis('with the log redis-stream', () => {
  let redis: RedisServer
  beforeAll(async () => {
    redis = await startRedis()
  })
  afterAll(() => redis?.stop())

  test.each(COMBINATIONS)('$read, $write and $health go together on memory', async (each) => {
    const keyPrefix = `log-${runs++}:`
    const wal = { type: 'redis-stream', config: { url: redis.url, keyPrefix } } as const
    await run(each, wal, () => ({ database: 'memory:' }))
  })
})

function logOf(type: (typeof LOGS)[number]): WalChoice {
  return type === 'file'
    ? { type, config: { filePath: join(folder, `wal-${runs++}`), flushIntervalMs: 500 } }
    : { type, config: { maxEntries: 10_000, flushIntervalMs: 500 } }
}
