import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { MemcachedCacheBackend, type MemcachedOptions } from '../../src/backend/memcached/index.ts'
import { isStorageError } from '../../src/core/errors.ts'
import { cacheSuite } from '../support/cache-suite.ts'
import {
  describeMemcached,
  startMemcached,
  type MemcachedServer,
} from '../support/memcached-server.ts'

const POLL = { timeout: 20_000 }

describeMemcached('Memcached cache', () => {
  let server: MemcachedServer
  let second: MemcachedServer
  beforeAll(async () => {
    server = await startMemcached()
    second = await startMemcached()
  })
  afterAll(async () => {
    await server.stop()
    await second.stop()
  })

  async function open(options: MemcachedOptions = {}): Promise<MemcachedCacheBackend> {
    const cache = new MemcachedCacheBackend({ url: server.url, timeoutMs: 300, ...options })
    await cache.connect()
    return cache
  }

  async function setup(options: MemcachedOptions = {}): Promise<MemcachedCacheBackend> {
    const cache = await open(options)
    onTestFinished(async () => await cache.disconnect())
    return cache
  }

  cacheSuite('memcached', open)

  cacheSuite('memcached on two servers', async () => {
    const servers = [server, second].map(({ port }) => `127.0.0.1:${port}`)
    return await open({ servers, keyPrefix: 'two:' })
  })

  // Goal: a value over the limit is a miss, and no older one shows in its place.
  test.each([1_000_000, 10_000_000])(
    'a value that is too large reads as absent when the limit is said to be %i',
    async (maxValueBytes) => {
      const cache = await setup({ maxValueBytes })
      await cache.set('large', 'small')
      await cache.set('large', 'x'.repeat(2_000_000))
      expect(await cache.get('large')).toBeUndefined()
      await cache.set('large', 'x'.repeat(900_000))
      expect(await cache.get<string>('large')).toHaveLength(900_000)
    },
  )

  test('many calls at once each get their own answer', async () => {
    const cache = await setup()
    const numbers = Array.from({ length: 300 }, (_, i) => i)
    await Promise.all(numbers.map(async (i) => await cache.set(`many ${i}`, i)))
    const read = await Promise.all(numbers.map(async (i) => await cache.get(`many ${i}`)))
    expect(read).toEqual(numbers)
  })

  test('a server that hangs costs one timeout, and the cache works again when it goes on', async () => {
    const cache = await setup()
    await cache.set('k', 1)
    server.pause()
    try {
      const errors = await Promise.all(
        ['k', 'other', 'k'].map(async (key) => await cache.get(key).catch((e: unknown) => e)),
      )
      for (const error of errors) {
        expect(isStorageError(error) && error.effect, String(error)).toBe('none')
      }
    } finally {
      server.resume()
    }
    await expect.poll(async () => await cache.get('k').catch(() => 'away'), POLL).toBe(1)
  })

  test('a server that is killed and comes back has forgotten, and is used again', async () => {
    const own = await startMemcached()
    onTestFinished(async () => await own.stop())
    const cache = await setup({ url: own.url })
    await cache.set('k', 1)
    await own.kill()
    await expect(cache.get('k')).rejects.toMatchObject({ code: 'UNAVAILABLE', effect: 'none' })
    expect(cache.isConnected()).toBe(false)
    await expect(open({ url: own.url })).rejects.toMatchObject({ code: 'CONNECTION' })
    await own.restart()
    await expect.poll(async () => await cache.get('k').catch(() => 'away'), POLL).toBeUndefined()
    expect(cache.isConnected()).toBe(true)
  })
})
