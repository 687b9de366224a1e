import { expect, test } from 'vitest'
import { Layout } from '../keyspace/layout.ts'
import { resolveRedisOptions, type RedisOptions } from './options.ts'
import { crc16, slotOf } from './slots.ts'

function resolve(options: RedisOptions): Record<string, unknown> {
  return { ...resolveRedisOptions(options).connection }
}

test('a url names user, password, database, prefix and how to get there', () => {
  const url = 'redis://me:p%40ss@db.example:7000/3?keyPrefix=app:'
  expect(resolve({ url })).toMatchObject({
    mode: 'standalone',
    nodes: [{ host: 'db.example', port: 7000 }],
    username: 'me',
    password: 'p@ss',
    db: 3,
    keyPrefix: 'app:',
    tls: undefined,
  })
  expect(resolve({ url: 'rediss://[::1]' })).toMatchObject({
    nodes: [{ host: '::1', port: 6379 }],
    tls: {},
  })
  expect(resolve({ url: 'rediss://h?tls=no-verify' })).toMatchObject({
    tls: { rejectUnauthorized: false },
  })
})

test('a Cluster and Sentinels are named by url or by fields', () => {
  const nodes = [
    { host: 'a', port: 7001 },
    { host: 'b', port: 7002 },
  ]
  const cluster = { mode: 'cluster', nodes }
  expect(resolve({ url: 'redis://a:7001?cluster=true&nodes=b:7002' })).toMatchObject(cluster)
  expect(resolve({ cluster: { nodes } })).toMatchObject(cluster)
  expect(resolve({ url: 'redis://a?sentinel=main&nodes=b:7002' })).toMatchObject({
    mode: 'sentinel',
    nodes: [{ host: 'a', port: 26_379 }, nodes[1]],
    sentinel: { name: 'main' },
  })
})

test('a field wins over the same part of the url, and undefined is no field', () => {
  const url = 'redis://a:1/2'
  expect(resolve({ url, port: 9, db: undefined as never })).toMatchObject({
    nodes: [{ host: 'a', port: 9 }],
    db: 2,
  })
})

test.each<[RedisOptions, RegExp]>([
  [{ url: 'http://secret@a' }, /must start with redis/],
  [{ url: 'redis://:secret@' }, /valid redis/],
  [{ url: 'redis://a/secret' }, /path/],
  [{ url: 'redis://a?nodes=secret' }, /nodes/],
  [{ url: 'redis://a?tls=no-verify' }, /^url must start with rediss/],
  [{ url: 'redis://a?cluster=yes' }, /^url\.cluster must be boolean/],
  [{ url: 'redis://a?keyprefix=x' }, /^url\.keyprefix is not known; did you mean keyPrefix/],
  [{ url: 'redis://a?nodes=user:secret@b:1,b:0' }, /^url\.nodes must be host:port/],
  [{ cluster: { nodes: [] } }, /^cluster\.nodes must not be empty/],
  [{ port: 0 }, /port/],
  [{ cluster: true, db: 1 }, /db 0/],
  [{ cluster: true, sentinel: { name: 'x' } }, /exclude/],
  [{ keyPrefix: '{x}' }, /keyPrefix/],
  [{ socketTimeoutMs: 0 }, /socketTimeoutMs/],
  [{ shards: 0 }, /shards/],
])('%j is refused, and no password is shown', (options, pattern) => {
  const run = (): unknown => resolveRedisOptions(options)
  expect(run).toThrowError(pattern)
  expect(run).not.toThrowError(/secret/)
})

test('slots are those of a Cluster: of the part between the first braces', () => {
  expect(crc16('123456789')).toBe(0x31c3)
  expect(slotOf('foo')).toBe(12_182)
  expect(slotOf('{user1000}.following')).toBe(slotOf('{user1000}.followers'))
  expect(slotOf('foo{}{bar}')).toBe(crc16('foo{}{bar}') % 16_384)
  expect(slotOf('foo{{bar}}zap')).toBe(slotOf('{{bar}'))
})

test('all keys of a shard are in one slot, whatever a conversation is called', () => {
  const layout = new Layout('p:', 16)
  const slot = slotOf(layout.meta(5))
  const names = [...layout.shardKeys(5), layout.hash(5, '{x}'), layout.set(5, '}{')]
  for (const name of names) expect(slotOf(name)).toBe(slot)
  expect(new Set(names).size).toBe(names.length)
})
