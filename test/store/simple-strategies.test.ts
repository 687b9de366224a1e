// Goal: a strategy of an application's own needs nothing but `execute`, and its limits are those that its
// declaration names. Method: stores on memory with strategies that are written here.
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  StorageManager,
  StrategicStorageManager,
  StrategyFactory,
  type ReadStrategy,
  type StoreManagers,
  type StrategicStorageConfig,
  type WALManager,
  type WriteStrategy,
} from '../../src/index.ts'

class BackupLast implements ReadStrategy {
  readonly name = 'backup-last'
  readonly config = { attempts: 1 }

  async execute(key: string, { primary, backup }: StoreManagers): Promise<unknown> {
    const found = await primary.getBackends()?.database.get(key)
    return found ?? (await backup?.getBackends()?.database.get(key))
  }
}

class LogThenPrimary implements WriteStrategy {
  readonly name = 'log-then-primary'
  readonly config = {}

  async execute(
    key: string,
    value: unknown,
    { primary }: StoreManagers,
    walManager?: WALManager,
  ): Promise<void> {
    await walManager?.append({ key, value })
    const database = primary.getBackends()!.database
    await (value === undefined ? database.delete(key) : database.set(key, value))
  }
}

interface Given {
  readonly read?: ReadStrategy
  readonly write?: WriteStrategy
  readonly wal?: WALManager | 'none'
  readonly config?: Partial<StrategicStorageConfig>
}

function storeOf(given: Given): StrategicStorageManager {
  const { wal = StrategyFactory.createWALManager('in-memory', { gatherMs: 0 }) } = given
  return new StrategicStorageManager(
    { primary: 'memory:', backup: 'memory:', ...given.config },
    given.read ?? new BackupLast(),
    given.write ?? new LogThenPrimary(),
    StrategyFactory.createHealthManager(),
    wal === 'none' ? undefined : wal,
  )
}

async function open(given: Given = {}): Promise<StrategicStorageManager> {
  const store = storeOf(given)
  onTestFinished(() => store.disconnect())
  await store.connect()
  return store
}

describe('strategies with execute alone', () => {
  test('serve single values, and the log brings what it was handed to the backup', async () => {
    const store = await open()
    const outcome = await store.set('k', { a: 1 })
    expect([outcome.copies, outcome.durable]).toEqual([[], false])
    expect(await store.get('k')).toEqual({ a: 1 })
    await store.mset({ l: 2 })
    expect({ ...(await store.mget(['k', 'l', 'none'])) }).toEqual({ k: { a: 1 }, l: 2 })
    await store.flushWAL()
    const backup = store.getBackends('backup')!.database
    expect([await backup.get('k'), await backup.get('l')]).toEqual([{ a: 1 }, 2])
    expect(await store.exists('k')).toBe(true)
    await store.delete('k')
    expect(await store.get('k')).toBeUndefined()
    expect(await store.exists('k')).toBe(false)
    await store.flushWAL()
    expect(await backup.get('k')).toBeUndefined()
    expect(store.status().strategies).toEqual({ read: 'backup-last', write: 'log-then-primary' })
  })

  test('delete as well where they know of nothing but setting', async () => {
    const places: unknown[] = []
    const write: WriteStrategy = {
      name: 'sets-alone',
      config: {},
      async execute(key, value, { primary, backup, cache }) {
        places.push(primary, backup, cache)
        await primary.getBackends()!.database.set(key, value)
        await backup!.getBackends()!.database.set(key, value)
        await cache!.getBackends()!.cache.set(key, value, 60)
      },
    }
    const store = await open({ write, wal: 'none', config: { cache: 'memory:' } })
    await store.set('k', { a: 1 })
    const { cache } = store.getBackends('cache')!
    expect(await cache.get('k')).toEqual({ a: 1 })
    await store.delete('k')
    expect(await store.get('k')).toBeUndefined()
    expect(await store.exists('k')).toBe(false)
    expect(await store.getBackends('backup')!.database.get('k')).toBeUndefined()
    expect(await cache.get('k')).toBeUndefined()
    expect(places.every((place) => place instanceof StorageManager)).toBe(true)
    // A slip elsewhere deletes nothing.
    const { database } = store.getBackends()!
    await database.set('kept', 1)
    await expect(database.set('kept', undefined)).rejects.toThrow('must be JSON')
    expect(await database.get('kept')).toBe(1)
  })

  test('refuse lists and groups of several keys', async () => {
    const store = await open()
    for (const call of [
      store.append('k', 1),
      store.appendItems('k', [{ id: 'a', value: 1 }]),
      store.mset({ k: 1, l: 2 }),
      store.getRange('k', 0, 1),
      store.list('k'),
      store.countItems('k'),
    ]) {
      await expect(call).rejects.toMatchObject({ code: 'UNSUPPORTED' })
    }
  })

  test('go with ours: one reads, the other writes', async () => {
    const written = await open({ read: StrategyFactory.createReadStrategy('primary-first') })
    await written.set('k', 1)
    expect(await written.get('k')).toBe(1)
    const read = await open({ write: StrategyFactory.createWriteStrategy('idempotent') })
    expect((await read.set('k', 1)).copies).toEqual(['primary', 'wal'])
    await read.append('list', 1)
    expect(await read.get('k')).toBe(1)
  })

  test('work without a log, and are handed none', async () => {
    let handed: unknown = 'nothing yet'
    const write: WriteStrategy = {
      name: 'no-log',
      config: {},
      async execute(_key, _value, _managers, walManager) {
        handed = walManager
      },
    }
    const store = await open({ write, wal: 'none' })
    await store.set('k', 1)
    expect(handed).toBeUndefined()
  })

  test('may be erased from, which the store does by itself', async () => {
    const store = await open()
    await store.set('k', 1)
    const { complete } = await store.erase('key', 'k')
    expect(complete).toBe(true)
    expect(await store.getBackends('backup')!.database.get('k')).toBeUndefined()
  })

  test('fail with a StorageError whatever they throw', async () => {
    const failing = {
      name: 'failing',
      config: {},
      execute: async (): Promise<never> => {
        throw new TypeError('not today')
      },
    }
    const store = await open({ read: failing, write: failing })
    await expect(store.get('k')).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      effect: 'none',
      message: 'strategy failing: not today',
    })
    await expect(store.set('k', 1)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      effect: 'unknown',
    })
  })

  test.each([undefined, null, {}, { name: 'x' }, { execute: async () => 1 }])(
    '%j is no strategy',
    (strategy) => {
      const config = { primary: 'memory:', backup: 'memory:' }
      const health = StrategyFactory.createHealthManager()
      const make = (read: unknown, write: unknown) => () =>
        new StrategicStorageManager(config, read as never, write as never, health)
      expect(make(strategy, new LogThenPrimary())).toThrow('readStrategy must have')
      expect(make(new BackupLast(), strategy)).toThrow('writeStrategy must have')
    },
  )
})

describe('the log', () => {
  test('takes a write by itself, once a store has opened it', async () => {
    const wal = StrategyFactory.createWALManager('in-memory')
    await expect(wal.append({ key: 'k', value: 1 })).rejects.toMatchObject({ code: 'CLOSED' })
    const store = await open({ wal })
    await wal.stopFlushWorker()
    await wal.write({ key: 'k', value: 1 })
    expect(await wal.getUnflushedEntries()).toHaveLength(1)
    wal.startFlushWorker()
    await store.flushWAL()
    expect(await wal.getUnflushedEntries()).toEqual([])
    for (const place of ['primary', 'backup'] as const) {
      expect(await store.getBackends(place)!.database.get('k')).toBe(1)
    }
    await wal.append({ key: 'k' })
    await store.flushWAL()
    expect(await store.get('k')).toBeUndefined()
    await expect(wal.append({ key: '', value: 1 })).rejects.toThrow('key must not be empty')
    await expect(wal.append({ key: 'k', value: () => 1 })).rejects.toThrow('must be JSON')
  })

  test('serves one store at a time, and another one once that has disconnected', async () => {
    const wal = StrategyFactory.createWALManager('in-memory', { gatherMs: 0 })
    // Changes nothing: a store starts them when it connects.
    wal.startFlushWorker()
    const first = await open({ wal })
    const second = storeOf({ wal })
    await expect(second.connect()).rejects.toThrow(
      'another store has this log until it disconnects',
    )
    await second.disconnect()
    await first.set('of-first', 1)
    await first.flushWAL()
    expect(await first.getBackends('backup')!.database.list('')).toEqual(['of-first'])
    await first.disconnect()
    const third = await open({ wal })
    await third.set('of-third', 1)
    await third.flushWAL()
    expect(await third.getBackends('backup')!.database.list('')).toEqual(['of-third'])
  })

  test('has no call that marks an entry as flushed', () => {
    expect('markFlushed' in StrategyFactory.createWALManager('in-memory')).toBe(false)
  })
})
