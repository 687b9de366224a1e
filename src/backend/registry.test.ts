import { expect, test } from 'vitest'
import { virtualEnv } from '../testing/virtual-env.ts'
import { MapBackend } from '../testing/map-backend.ts'
import { MemoryBackend } from './memory/memory-backend.ts'
import { MemoryCache } from './memory/memory-cache.ts'
import { createCache, createDatabase } from './registry.ts'
import type { CacheSource, DatabaseSource } from './sources.ts'

const env = virtualEnv()

test.each<[string, DatabaseSource, string]>([
  ['a string', 'memory:', 'in-memory'],
  ['a configuration', { type: 'in-memory' }, 'in-memory'],
  ['a sqlite string', 'sqlite::memory:', 'sqlite'],
  ['sqlite by path', { type: 'sqlite', path: ':memory:' }, 'sqlite'],
  ['sqlite by url', { type: 'sqlite', url: 'sqlite::memory:' }, 'sqlite'],
  ['a postgres string', 'postgres://localhost/app', 'postgresql'],
  ['postgres by fields', { type: 'postgres', host: 'localhost' }, 'postgresql'],
  ['a redis string', 'redis://localhost', 'redis'],
  ['redis by fields', { type: 'redis', host: 'localhost', cluster: true }, 'redis'],
  ['postgresql by url', { type: 'postgresql', url: 'postgres://a/b' }, 'postgresql'],
])('makes a database of %s, without connecting it', async (_name, source, type) => {
  const database = await createDatabase(source, env)
  expect([database.getBackendType(), database.isConnected()]).toEqual([type, false])
})

test('a ready replica is taken as it is, and a plain backend is adapted', async () => {
  const ready = new MemoryBackend(env)
  expect(await createDatabase(ready, env)).toBe(ready)
  const adapted = await createDatabase(new MapBackend(), env)
  await adapted.connect()
  expect(await adapted.readState('w')).toMatchObject({ hints: [] })
})

test('makes a cache of a string, a configuration or a ready one', async () => {
  const ready = new MemoryCache({}, env)
  expect(await createCache(ready, env)).toBe(ready)
  expect(await createCache('memory:', env)).toBeInstanceOf(MemoryCache)
  expect((await createCache('rediss://localhost', env)).getBackendType()).toBe('redis')
  expect((await createCache('memcached://localhost', env)).getBackendType()).toBe('memcached')
  const small = await createCache({ type: 'in-memory', maxEntries: 1 }, env)
  await small.connect()
  await small.set('a', 1)
  await small.set('b', 2)
  expect(await small.get('a')).toBeUndefined()
})

test('a bucket is a database by connection string and by fields', async () => {
  const sources: DatabaseSource[] = ['s3://bucket/prefix', { type: 's3', bucket: 'bucket' }]
  for (const source of sources) {
    expect((await createDatabase(source, env, 'backup')).getBackendType()).toBe('s3')
  }
})

test.each<unknown>([undefined, null, 7, {}, { type: 'oracle' }, []])(
  '%j is no cache, or one that this version lacks',
  async (source) => {
    await expect(createCache(source as CacheSource, env, 'cache')).rejects.toMatchObject({
      name: 'StorageError',
      message: expect.stringMatching(/^cache/) as string,
    })
  },
)

test.each<unknown>([undefined, null, 7, {}, { type: 'oracle' }, { get: () => 1 }])(
  '%j is no database',
  async (source) => {
    await expect(createDatabase(source as DatabaseSource, env, 'backup')).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(/^backup/) as string,
    })
  },
)
