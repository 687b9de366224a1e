import { expect, test } from 'vitest'
import { virtualEnv } from '../../testing/virtual-env.ts'
import { MemoryCache, type MemoryCacheOptions } from './memory-cache.ts'

async function connected(
  options: MemoryCacheOptions = {},
  env = virtualEnv(),
): Promise<MemoryCache> {
  const cache = new MemoryCache(options, env)
  await cache.connect()
  return cache
}

test('what was set is there until it is deleted, and null is a value', async () => {
  const cache = await connected()
  await cache.set('a', null)
  expect(await cache.get('a')).toBeNull()
  await cache.delete('a')
  expect(await cache.get('a')).toBeUndefined()
})

test('changing a value that was set or read does not change the cache', async () => {
  const cache = await connected()
  const value = { list: [1] }
  await cache.set('a', value)
  value.list.push(2)
  const read = await cache.get<typeof value>('a')
  read!.list.push(3)
  expect(await cache.get('a')).toEqual({ list: [1] })
})

test('the least recently used entry goes first, and a read is a use', async () => {
  const cache = await connected({ maxEntries: 2 })
  await cache.set('a', 1)
  await cache.set('b', 2)
  await cache.get('a')
  await cache.set('c', 3)
  expect([await cache.get('a'), await cache.get('b'), await cache.get('c')]).toEqual([
    1,
    undefined,
    3,
  ])
})

test('the bytes stay below the bound, and what is larger than all of it is not kept', async () => {
  const cache = await connected({ maxBytes: 1_000 })
  for (let i = 0; i < 20; i++) await cache.set(`key${i}`, 'x'.repeat(100))
  expect(cache.size).toBe(3)
  await cache.set('key19', 'x'.repeat(1_000))
  expect(await cache.get('key19')).toBeUndefined()
  expect(await cache.get('key18')).toBeDefined()
})

test('an entry ends with its time to live, whatever the wall clock does', async () => {
  const env = virtualEnv()
  const cache = await connected({}, env)
  await cache.set('a', 1, 2)
  env.jumpWallClock(3_600_000)
  await env.advance(1_999)
  expect(await cache.get('a')).toBe(1)
  await env.advance(1)
  expect(await cache.get('a')).toBeUndefined()
  expect(cache.size).toBe(0)
})

test('a second set begins a new life', async () => {
  const env = virtualEnv()
  const cache = await connected({}, env)
  await cache.set('a', 1, 1)
  await cache.set('a', 2)
  await env.advance(5_000)
  expect(await cache.get('a')).toBe(2)
})

test.each([0, -1, Number.NaN])('a time to live of %s is refused', async (ttl) => {
  const cache = await connected()
  await expect(cache.set('a', 1, ttl)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
})

test('a disconnected cache refuses calls and has forgotten everything', async () => {
  const cache = await connected()
  await cache.set('a', 1)
  await cache.disconnect()
  await cache.disconnect()
  await expect(cache.get('a')).rejects.toMatchObject({ code: 'CLOSED' })
  await cache.connect()
  expect(await cache.get('a')).toBeUndefined()
})
