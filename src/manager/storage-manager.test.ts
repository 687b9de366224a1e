import { describe, expect, test } from 'vitest'
import { MemoryBackend } from '../backend/memory/memory-backend.ts'
import { MemoryCache } from '../backend/memory/memory-cache.ts'
import { virtualEnv, type VirtualEnv } from '../testing/virtual-env.ts'
import { StorageManager, type StorageManagerConfig } from './storage-manager.ts'

/** A database whose connecting and probing can be made to fail or to hang. */
class FlakyDatabase extends MemoryBackend {
  connects = 0
  disconnects = 0
  outage: 'none' | 'fails' | 'hangs' = 'none'
  release: () => void = () => {}

  override async connect(): Promise<void> {
    this.connects++
    if (this.outage === 'fails') {
      throw new Error('refused by postgresql://me:hunter2@db/app, password hunter2')
    }
    if (this.outage === 'hangs') await this.#hang()
    await super.connect()
  }

  override async disconnect(): Promise<void> {
    this.disconnects++
    await super.disconnect()
  }

  override async readState(
    ...args: Parameters<MemoryBackend['readState']>
  ): ReturnType<MemoryBackend['readState']> {
    if (this.outage === 'hangs') await this.#hang()
    return await super.readState(...args)
  }

  #hang(): Promise<void> {
    return new Promise((resolve) => {
      this.release = resolve
    })
  }
}

class FlakyCache extends MemoryCache {
  broken = true

  override async connect(): Promise<void> {
    if (this.broken) throw new Error('no cache here')
    await super.connect()
  }
}

function setup(config: Partial<StorageManagerConfig> = {}): {
  env: VirtualEnv
  database: FlakyDatabase
  manager: StorageManager
} {
  const env = virtualEnv()
  const database = new FlakyDatabase(env)
  const manager = new StorageManager({ name: 'primary', database, ...config }, env)
  return { env, database, manager }
}

describe('connect', () => {
  test('concurrent calls share one attempt', async () => {
    const { manager, database } = setup()
    await Promise.all([manager.connect(), manager.connect(), manager.connect()])
    expect(database.connects).toBe(1)
    expect(manager.isConnected()).toBe(true)
    expect(manager.getInfo().backends.database).toMatchObject({
      type: 'in-memory',
      connected: true,
      fallback: false,
      connectionAttempts: 1,
    })
  })

  test('a database that does not connect is an error without effect, and never becomes memory', async () => {
    const { manager, database } = setup()
    database.outage = 'fails'
    await expect(manager.connect()).rejects.toMatchObject({ code: 'CONNECTION', effect: 'none' })
    const { fallback, connected, lastError } = manager.getInfo().backends.database
    expect([fallback, connected]).toEqual([false, false])
    expect(lastError).toContain('postgresql://me:***@db/app')
    const call = manager.getHandles().database.readState('w')
    await expect(call).rejects.toMatchObject({ code: 'CONNECTION', effect: 'none' })
  })

  test('it may be called again after a failure', async () => {
    const { manager, database } = setup()
    database.outage = 'fails'
    await expect(manager.connect()).rejects.toThrow(/^primary database: refused by/)
    database.outage = 'none'
    await manager.connect()
    const info = manager.getInfo().backends.database
    expect(info).toMatchObject({ connected: true, connectionAttempts: 2 })
    expect(info.lastError).toBeUndefined()
  })

  test('an attempt that hangs ends at its deadline, and the next call waits for the same one', async () => {
    const { manager, database, env } = setup({ connectTimeoutMs: 100 })
    database.outage = 'hangs'
    const first = env.drive(manager.connect())
    await expect(first).rejects.toMatchObject({ code: 'CONNECTION', effect: 'none' })
    expect(env.monotonic()).toBe(100)
    const second = manager.connect()
    await env.settle()
    database.release()
    await env.drive(second)
    expect(database.connects).toBe(1)
    expect(manager.isConnected()).toBe(true)
    expect(env.pendingTimers()).toBe(0)
  })

  test('with allowInMemoryFallback memory stands in, says so and is not durable', async () => {
    const { manager, database } = setup({ allowInMemoryFallback: true })
    database.outage = 'fails'
    await manager.connect()
    const info = manager.getInfo().backends.database
    expect(info).toMatchObject({ fallback: true, connected: true, durability: { durable: false } })
    await manager.getHandles().database.set('a', 1)
    database.outage = 'none'
    await manager.connect()
    // It stays: the real database does not have what memory took.
    expect(await manager.getHandles().database.get('a')).toBe(1)
    expect(manager.getInfo().backends.database.fallback).toBe(true)
  })

  test('a configuration that names nothing is not cured by memory', () => {
    const env = virtualEnv()
    const bad = { type: 'oracle' } as unknown as StorageManagerConfig['database']
    const open = (database: StorageManagerConfig['database']) => (): StorageManager =>
      new StorageManager({ database, allowInMemoryFallback: true }, env)
    expect(open(bad)).toThrow(/^database\.type must be/)
    expect(open('oracle:x')).toThrow(/^database must be/)
  })
})

describe('the cache', () => {
  test('falls back to memory, says so, and is tried again by the next connect', async () => {
    const env = virtualEnv()
    const cache = new FlakyCache({}, env)
    const { manager } = setup({ cache })
    await manager.connect()
    expect(manager.getInfo().backends.cache).toMatchObject({ fallback: true, connected: true })
    await manager.getHandles().cache.set('a', 1)
    expect(await manager.getHandles().cache.get('a')).toBe(1)
    cache.broken = false
    await manager.connect()
    expect(manager.getInfo().backends.cache).toMatchObject({
      fallback: false,
      connectionAttempts: 2,
    })
    expect(await manager.getHandles().cache.get('a')).toBeUndefined()
  })

  test('is memory when none is configured, and that is no fallback', async () => {
    const { manager } = setup()
    await manager.connect()
    expect(manager.getInfo().backends.cache).toMatchObject({ type: 'in-memory', fallback: false })
  })
})

describe('disconnect', () => {
  test('may be called again, refuses calls with CLOSED, and connect opens it again', async () => {
    const { manager, database } = setup()
    await manager.connect()
    await Promise.all([manager.disconnect(), manager.disconnect()])
    await manager.disconnect()
    expect(database.disconnects).toBe(1)
    const call = manager.getHandles().database.get('a')
    await expect(call).rejects.toMatchObject({ code: 'CLOSED' })
    await manager.connect()
    expect(await manager.getHandles().database.get('a')).toBeUndefined()
  })

  test('leaves a database open that was handed in open', async () => {
    const { manager, database } = setup()
    await database.connect()
    await manager.connect()
    await manager.disconnect()
    expect([database.connects, database.disconnects]).toEqual([1, 0])
    expect(database.isConnected()).toBe(true)
  })

  test('during a connect that hangs ends in time, and closes what connects late', async () => {
    const { manager, database, env } = setup({ connectTimeoutMs: 1_000, disconnectTimeoutMs: 50 })
    database.outage = 'hangs'
    const connecting = manager.connect()
    const refused = expect(connecting).rejects.toMatchObject({ code: 'CLOSED' })
    await env.settle()
    await env.drive(manager.disconnect())
    expect(env.monotonic()).toBeLessThanOrEqual(50)
    database.release()
    await env.settle()
    await env.drive(refused)
    expect(database.isConnected()).toBe(false)
    expect(manager.isConnected()).toBe(false)
  })
})

describe('healthCheck', () => {
  test('is a round trip to both', async () => {
    const { manager } = setup()
    await manager.connect()
    const health = await manager.healthCheck()
    expect(health).toMatchObject({ cache: true, database: true, overall: true })
    expect(health.details.database).toEqual({ status: 'healthy', latency: 0 })
  })

  test('ends in time when the database hangs, and says why', async () => {
    const { manager, database, env } = setup()
    await manager.connect()
    database.outage = 'hangs'
    const health = await env.drive(manager.healthCheck({ timeoutMs: 40 }))
    expect(health).toMatchObject({ cache: true, database: false, overall: false })
    expect(health.details.database).toMatchObject({ status: 'unhealthy', latency: 40 })
    expect(health.details.database.error).toContain('40 ms')
    expect(env.pendingTimers()).toBe(0)
  })

  test('of one that was never connected does not reject', async () => {
    const { manager } = setup()
    const health = await manager.healthCheck()
    expect(health.details.database.error).toContain('not connected yet')
  })

  test('calls memory that stands in degraded', async () => {
    const { manager, database } = setup({ allowInMemoryFallback: true })
    database.outage = 'fails'
    await manager.connect()
    const health = await manager.healthCheck()
    expect(health).toMatchObject({
      overall: true,
      details: { database: { status: 'degraded' }, cache: { status: 'healthy' } },
    })
  })
})

describe('the backends', () => {
  test('connect resolves to them, a second call to the same', async () => {
    const { manager, database } = setup()
    const backends = await manager.connect()
    expect(await manager.connect()).toBe(backends)
    await backends.database.set('a', 1)
    expect(await database.get('a')).toBe(1)
    await backends.cache.set('a', 2)
    expect(await backends.cache.get('a')).toBe(2)
  })

  test('there are none before connect, nor after disconnect', async () => {
    const { manager } = setup()
    expect(manager.getBackends()).toBeNull()
    const backends = await manager.connect()
    expect(manager.getBackends()).toBe(backends)
    await manager.disconnect()
    expect(manager.getBackends()).toBeNull()
    await expect(backends.database.get('a')).rejects.toMatchObject({ code: 'CLOSED' })
    expect(manager.getInfo()).toMatchObject({ connected: false, backends: {} })
  })

  test('there are none when the database did not connect', async () => {
    const { manager, database } = setup()
    database.outage = 'fails'
    await expect(manager.connect()).rejects.toThrow()
    expect(manager.getBackends()).toBeNull()
    expect(manager.getInfo()).toMatchObject({ connected: false, connectionAttempts: 1 })
    expect(manager.getInfo().lastError).toMatch(/^primary database: refused by/)
  })
})

describe('the configuration', () => {
  test('is given back with its defaults, frozen, without passwords', () => {
    const manager = new StorageManager({
      database: { type: 'postgres', host: 'db', password: 'hunter2', ssl: { key: 'hunter3' } },
      cache: 'redis://:hunter2@cache:6379/1',
    })
    const config = manager.getConfig()
    expect(config).toEqual({
      database: { type: 'postgresql', host: 'db', password: '***', ssl: { key: '***' } },
      cache: { type: 'redis', url: 'redis://***@cache:6379/1' },
      name: 'storage',
      allowInMemoryFallback: false,
      connectTimeoutMs: 5_000,
      disconnectTimeoutMs: 5_000,
    })
    expect([config, config.database, config.cache].every((each) => Object.isFrozen(each))).toBe(
      true,
    )
  })

  test('of a backend that was handed in it tells the type alone', () => {
    expect(setup().manager.getConfig().database).toEqual({ type: 'in-memory' })
  })

  test.each<[object, string]>([
    [{ database: { type: 'postgresql', port: 70_000 } }, 'database.port must be an integer'],
    [
      { database: { type: 'postgresql', prot: 1 } },
      'database.prot is not known; did you mean port?',
    ],
    [{ database: { type: 'postgresql', pool: { max: 0 } } }, 'database.pool.max must be'],
    [{ database: { type: 'sqlite', path: '' } }, 'database.path must not be empty'],
    [{ database: { type: 'sqlite' } }, 'database.path must be given: the SQLite file, or a url'],
    [{ database: { type: 'redis', db: -1 } }, 'database.db must be'],
    [{ database: { type: 'redis', passwort: 'x' } }, 'database.passwort is not known'],
    [{ database: { type: 's3', bucket: 'ab', region: '?' } }, 'database.bucket must be'],
    [{ database: 'postgresql://h:70000/d' }, 'database is not a valid'],
    [{ database: {} }, 'database must be a connection string'],
    [{}, 'database must be a connection string'],
    [{ database: 'memory:', cache: { type: 'in-memory', maxEntries: 0 } }, 'cache.maxEntries'],
    [
      { database: 'memory:', cache: { type: 'memcached', server: [] } },
      'cache.server is not known',
    ],
    [{ database: 'memory:', conectTimeoutMs: 1 }, 'did you mean connectTimeoutMs?'],
    [{ database: 'memory:', allowInMemoryFallback: 1 }, 'allowInMemoryFallback must be boolean'],
  ])('%j is refused by its path', (config, message) => {
    expect(() => new StorageManager(config as StorageManagerConfig)).toThrow(message)
  })
})
