// Goal: no entry outlives a write that the cache was not told of. Method: two processes' caches in front of
// one server whose answers can be held back, virtual time.
import { expect, test } from 'vitest'
import type { CacheBackend } from '../../backend/cache-backend.ts'
import { MemoryCache } from '../../backend/memory/memory-cache.ts'
import { virtualEnv, type VirtualEnv } from '../../testing/virtual-env.ts'
import { SharedCache, type EntryCodec } from './shared-cache.ts'

const text: EntryCodec<string> = { encode: (data) => data, decode: (data) => data }

interface Line {
  readonly cache: SharedCache
  isCut: boolean
  /** Answers come when this does. */
  answers: Promise<void>
}

function line(env: VirtualEnv, server: CacheBackend): Line {
  const pass = async <T>(call: Promise<T>): Promise<T> => {
    if (self.isCut) throw new Error('the line is cut')
    const { answers } = self
    const result = await call
    await answers
    return result
  }
  const way = {
    getTexts: (keys: readonly string[]) => pass(Promise.all(keys.map((key) => server.get(key)))),
    setText: (key: string, value: string, ttl?: number) => pass(server.set(key, value, ttl)),
  } as unknown as CacheBackend
  const cache = new SharedCache({
    env,
    cache: () => way,
    localEntries: 0,
    ttlSeconds: 60,
    timeoutMs: 1_000,
    warnReaders: async () => {},
  })
  const self: Line = { cache, isCut: false, answers: Promise.resolve() }
  return self
}

test('a page from before a write is void, although the writer lost the cache and was getting it back', async () => {
  const env = virtualEnv()
  const server = new MemoryCache()
  await server.connect()
  const [writer, reader] = [line(env, server), line(env, server)]
  writer.isCut = true
  await writer.cache.changed(['k'])
  writer.isCut = false
  let answer = (): void => {}
  writer.answers = new Promise<void>((resolve) => (answer = resolve))
  // The server has done what voids everything, and its answer is on the way.
  await env.advance(1_100)
  const before = await reader.cache.get('window', 'k', text)
  if (before.hit) throw new Error('nothing was stored')
  // The page is read here, then comes the write.
  await writer.cache.changed(['k'])
  answer()
  await env.advance(100)
  expect(writer.cache.owes()).toBe(false)
  await reader.cache.fill('window', 'k', before.token!, 'without the write', text)
  expect(await reader.cache.get('window', 'k', text)).toMatchObject({ hit: false })
})

test('a cache that is lost again while it comes back stays out', async () => {
  const env = virtualEnv()
  const server = new MemoryCache()
  await server.connect()
  const writer = line(env, server)
  writer.isCut = true
  await writer.cache.changed(['k'])
  writer.isCut = false
  let answer = (): void => {}
  writer.answers = new Promise<void>((resolve) => (answer = resolve))
  await env.advance(1_100)
  answer()
  writer.isCut = true
  await env.advance(100)
  expect(writer.cache.owes()).toBe(true)
  await writer.cache.changed(['k'])
  writer.isCut = false
  await env.advance(1_100)
  expect(writer.cache.owes()).toBe(false)
})
