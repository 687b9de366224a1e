import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { RedisCacheBackend } from '../../src/backend/redis/index.ts'
import { isStorageError } from '../../src/core/errors.ts'
import { cacheSuite } from '../support/cache-suite.ts'
import { redisCommand } from '../support/redis-command.ts'
import { describeRedis, startRedis, type RedisServer } from '../support/redis-server.ts'

describeRedis('Redis cache', () => {
  let server: RedisServer
  beforeAll(async () => {
    server = await startRedis({ appendonly: 'no' })
  })
  afterAll(async () => await server.stop())

  async function open(): Promise<RedisCacheBackend> {
    const cache = new RedisCacheBackend({ url: server.url, commandTimeoutMs: 300 })
    await cache.connect()
    return cache
  }

  cacheSuite('redis', open)

  test('what is there and not ours reads as absent', async () => {
    const cache = await open()
    onTestFinished(async () => await cache.disconnect())
    await redisCommand(server.url, 'SET', 'everthread-cache:foreign', 'no json')
    expect(await cache.get('foreign')).toBeUndefined()
  })

  test('a server that hangs costs one timeout, and the cache works again when it goes on', async () => {
    const cache = await open()
    onTestFinished(async () => await cache.disconnect())
    await cache.set('k', 1)
    server.pause()
    try {
      const error: unknown = await cache.get('k').catch((reason: unknown) => reason)
      expect(isStorageError(error, 'TIMEOUT')).toBe(true)
    } finally {
      server.resume()
    }
    await expect.poll(async () => await cache.get('k').catch(() => 'away'), POLL).toBe(1)
  })

  test('a server that is away is refused at once, also by connect', async () => {
    const own = await startRedis()
    onTestFinished(async () => await own.stop())
    const cache = new RedisCacheBackend({ url: own.url })
    onTestFinished(async () => await cache.disconnect())
    await cache.connect()
    await own.kill()
    await expect.poll(() => cache.isConnected(), POLL).toBe(false)
    await expect(cache.set('k', 1)).rejects.toMatchObject({ code: 'UNAVAILABLE', effect: 'none' })
    const other = new RedisCacheBackend({ url: own.url })
    onTestFinished(async () => await other.disconnect())
    await expect(other.connect()).rejects.toMatchObject({ code: 'CONNECTION' })
    await own.restart()
    await expect.poll(async () => await cache.get('k').catch(() => 'away'), POLL).toBeUndefined()
  })
})

const POLL = { timeout: 20_000 }
