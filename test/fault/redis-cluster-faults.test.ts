import { randomBytes } from 'node:crypto'
import { expect, onTestFinished, test } from 'vitest'
import { RedisDatabaseBackend, type RedisOptions } from '../../src/backend/redis/index.ts'
import { CLUSTER_SHARDS, Layout } from '../../src/backend/redis/keyspace/layout.ts'
import { slotOf } from '../../src/backend/redis/connection/slots.ts'
import type { Env } from '../../src/core/env.ts'
import { isStorageError } from '../../src/core/errors.ts'
import type { FailpointName } from '../../src/core/failpoint.ts'
import { nodeEnv } from '../../src/core/node-env.ts'
import { append, set, stampAt } from '../../src/testing/backend/operations.ts'
import { formed, startRedisCluster, type RedisCluster } from '../support/redis-cluster.ts'
import { redisCommand } from '../support/redis-command.ts'
import { describeRedis } from '../support/redis-server.ts'

const POLL = { timeout: 40_000, interval: 50 }
const SLOTS = 16_384

/** Keys of which the first is on the first master, the second on the second, and so on. */
const KEYS: readonly string[] = [0, 1, 2].map((node) => keyOn(node))
const [A, B, C] = KEYS as [string, string, string]

describeRedis('Redis Cluster that fails', () => {
  test('a master that is away takes only its own keys with it, and is used again', async () => {
    const { cluster, backend } = await start()
    for (const key of KEYS) await backend.append(key, 1)
    await cluster.nodes[1]!.kill()
    await expect.poll(async () => await outcome(backend.append(B, 2)), POLL).toBe('UNAVAILABLE')
    await backend.append(A, 2)
    await backend.append(C, 2)
    expect(await backend.getRange(A, 0, 9)).toEqual([1, 2])
    expect(await outcome(backend.list(''))).toBe('UNAVAILABLE')
    await cluster.nodes[1]!.restart()
    await formed(cluster.nodes)
    await expect.poll(async () => await outcome(backend.append(B, 3)), POLL).toBe('ok')
    expect(await backend.getRange(B, 0, 9)).toEqual([1, 3])
    expect(await backend.list('')).toHaveLength(3)
  })

  test('a group that one master does not answer has no effect anywhere, also later', async () => {
    const { cluster, backend } = await start({ commandTimeoutMs: 1_000 })
    cluster.nodes[1]!.pause()
    const group = KEYS.map((key) => append(key, stampAt(1), key))
    const call = backend.apply(group, { decide: true, timeoutMs: 4_000 })
    const error: unknown = await call.catch((reason: unknown) => reason)
    expect(isStorageError(error) && error.effect, String(error)).toBe('none')
    cluster.nodes[1]!.resume()
    // Its part may have arrived by now: it must not be applied, nor hold the key for ever.
    await expect.poll(async () => await counts(backend), POLL).toEqual([0, 0, 0])
    await expect.poll(async () => await outcome(backend.append(B, 1)), POLL).toBe('ok')
    expect(await counts(backend)).toEqual([0, 1, 0])
  })

  // Goal: whoever dies in the middle of a group leaves it whole or not there, and blocks nobody.
  // Method: the process "dies" at a point of the protocol: it does nothing more for that group.
  test.each<[FailpointName, number]>([
    ['redis.groupPrepared', 0],
    ['redis.groupDecided', 1],
  ])(
    'a group whose writer dies at %s is there %i times in all its shards',
    async (point, count) => {
      const { cluster, backend } = await start()
      const keyPrefix = freshPrefix()
      const dying = new RedisDatabaseBackend({ url: cluster.url, keyPrefix }, dyingAt(point))
      await dying.connect()
      onTestFinished(async () => await dying.disconnect())
      const group = KEYS.map((key) => append(key, stampAt(1), key, 'id'))
      void dying.apply(group, { decide: true, unique: true }).catch(() => {})
      const heir = await connected({ url: cluster.url, keyPrefix })
      const held = async (): Promise<number> => {
        const names = new Layout(keyPrefix, CLUSTER_SHARDS)
        const lengths = KEYS.map(async (key, node) => {
          const name = names.part(names.shardOf(key), 'intents')
          return Number(await redisCommand(cluster.nodes[node]!.url, 'HLEN', name))
        })
        return (await Promise.all(lengths)).reduce((sum, n) => sum + n, 0)
      }
      await expect.poll(held, POLL).toBe(3)
      // Readers and writers of each key wait for the group, or end it, but are not stopped by it.
      const seen = await Promise.all(KEYS.map(async (key) => await heir.countItems(key, LONG)))
      expect(seen.map((read) => read.count)).toEqual([count, count, count])
      const again = KEYS.map((key) => append(key, stampAt(2), key, 'id'))
      const { applied } = await heir.apply(again, { decide: true, unique: true })
      const expected = count === 0 ? 'applied' : 'stands'
      expect(applied.map((answer) => answer.outcome)).toEqual([expected, expected, expected])
      expect(await held()).toBe(0)
      expect(await backend.list('')).toEqual([])
    },
  )

  test('a save of one key waits for the group that holds it, and is judged after it', async () => {
    const { cluster, backend } = await start()
    const keyPrefix = prefixes.get(backend)!
    const dying = new RedisDatabaseBackend(
      { url: cluster.url, keyPrefix },
      dyingAt('redis.groupDecided'),
    )
    await dying.connect()
    onTestFinished(async () => await dying.disconnect())
    const group = KEYS.map((key) => append(key, stampAt(1), key, 'id'))
    void dying.apply(group, { decide: true, unique: true }).catch(() => {})
    const names = new Layout(keyPrefix, CLUSTER_SHARDS)
    const decided = async (): Promise<string> => {
      const home = Math.min(...KEYS.map((key) => names.shardOf(key)))
      const node = KEYS.findIndex((key) => names.shardOf(key) === home)
      const groups = names.part(home, 'groups')
      return String(await redisCommand(cluster.nodes[node]!.url, 'HVALS', groups))
    }
    await expect.poll(decided, POLL).toMatch(/^committed/)
    const other = append(B, stampAt(2), 'other', 'id')
    const { applied } = await backend.apply([other], { decide: true, unique: true, ...LONG })
    expect(applied[0]!.outcome).toBe('conflict')
    expect(await backend.getRange(B, 0, 9)).toEqual([B])
  })

  test('groups that share keys in another order are each whole, and all end', async () => {
    const { cluster, backend } = await start()
    const other = await connected({ url: cluster.url, keyPrefix: prefixes.get(backend)! })
    const answers = await Promise.all(
      Array.from({ length: 24 }, async (_, i) => {
        const keys = i % 2 === 0 ? KEYS : KEYS.toReversed()
        const group = keys.map((key) => append(key, stampAt(i), i, `id ${i >> 1}`))
        const target = i % 3 === 0 ? other : backend
        const result = await target.apply(group, { decide: true, unique: true, timeoutMs: 30_000 })
        return result.applied.map((answer) => answer.outcome)
      }),
    )
    for (const outcomes of answers) {
      expect(new Set(outcomes).size === 1 || !outcomes.includes('applied'), outcomes.join()).toBe(
        true,
      )
    }
    const stored = await Promise.all(KEYS.map(async (key) => await backend.getRange(key, 0, 99)))
    expect(stored[0]).toHaveLength(12)
    for (const list of stored) expect(new Set(list)).toEqual(new Set(stored[0]!))
  })

  test('one master that comes back empty makes it another database', async () => {
    const { cluster, backend } = await start()
    for (const key of KEYS) await backend.append(key, 1)
    const { identity } = await backend.readState('w')
    await redisCommand(cluster.nodes[2]!.url, 'FLUSHALL')
    const page = await backend.readItems({ key: C, limit: 5, order: 'newest' })
    expect(page.identity).not.toBe(identity)
    expect(page.items).toEqual([])
    const other = await connected({ url: cluster.url, keyPrefix: prefixes.get(backend)! })
    expect((await other.readState('w')).identity).toBe(page.identity)
    expect(await other.getRange(A, 0, 9)).toEqual([1])
  })

  test('a slot that moves to another master is followed', async () => {
    const { cluster, backend } = await start()
    await backend.append(A, 1)
    const [from, to] = cluster.nodes
    const names = new Layout(prefixes.get(backend)!, CLUSTER_SHARDS)
    const slot = String(slotOf(names.meta(names.shardOf(A))))
    const id = async (url: string): Promise<string> =>
      String(await redisCommand(url, 'CLUSTER', 'MYID'))
    const [source, target] = [await id(from!.url), await id(to!.url)]
    await redisCommand(to!.url, 'CLUSTER', 'SETSLOT', slot, 'IMPORTING', source)
    await redisCommand(from!.url, 'CLUSTER', 'SETSLOT', slot, 'MIGRATING', target)
    const keys = await redisCommand(from!.url, 'CLUSTER', 'GETKEYSINSLOT', slot, '1000')
    const move = ['MIGRATE', '127.0.0.1', String(to!.port), '', '0', '5000', 'KEYS']
    await redisCommand(from!.url, ...move, ...(keys as string[]))
    // All keys have gone, the slot has not: who needs several keys at once must wait.
    const read = backend.readItems({ key: A, limit: 9, order: 'oldest' }, LONG)
    const write = backend.apply([append(A, stampAt(9), 9, 'id')], { decide: true, ...LONG })
    for (const node of [to!, from!]) {
      await redisCommand(node.url, 'CLUSTER', 'SETSLOT', slot, 'NODE', target)
    }
    expect((await read).items.map(({ appended }) => appended)).toContain('1')
    expect((await write).applied).toEqual([{ outcome: 'applied' }])
    await backend.apply([set(A, stampAt(5), 'moved')], { decide: true })
    await backend.append(A, 2)
    expect(await backend.getRange(A, 0, 9)).toEqual([9, 1, 2])
    expect(await backend.get(A)).toBe('moved')
  })
})

const LONG = { timeoutMs: 30_000 }
const prefixes = new WeakMap<object, string>()

async function start(
  options: RedisOptions = {},
): Promise<{ cluster: RedisCluster; backend: RedisDatabaseBackend }> {
  const cluster = await startRedisCluster()
  onTestFinished(async () => await cluster.stop())
  return { cluster, backend: await connected({ url: cluster.url, ...options }) }
}

async function connected(options: RedisOptions): Promise<RedisDatabaseBackend> {
  const keyPrefix = options.keyPrefix ?? freshPrefix()
  const backend = new RedisDatabaseBackend({ ...options, keyPrefix })
  prefixes.set(backend, keyPrefix)
  onTestFinished(async () => await backend.disconnect())
  await backend.connect()
  return backend
}

async function counts(backend: RedisDatabaseBackend): Promise<unknown> {
  try {
    const reads = KEYS.map(async (key) => await backend.countItems(key, LONG))
    return (await Promise.all(reads)).map(({ count }) => count)
  } catch (error) {
    return String(error)
  }
}

async function outcome(call: Promise<unknown>): Promise<string> {
  try {
    await call
    return 'ok'
  } catch (error) {
    return isStorageError(error) ? error.code : String(error)
  }
}

/** An environment in which nothing goes on after the point. */
function dyingAt(point: FailpointName): Env {
  const never = new Promise<void>(() => {})
  return { ...nodeEnv(), failpoints: { hit: (name) => (name === point ? never : undefined) } }
}

function freshPrefix(): string {
  return `test-${randomBytes(6).toString('hex')}:`
}

/** A key whose shard is on this one of three masters. */
function keyOn(node: number): string {
  const names = new Layout('', CLUSTER_SHARDS)
  for (let i = 0; ; i++) {
    const slot = slotOf(names.meta(names.shardOf(`key ${i}`)))
    if (Math.floor((slot * 3) / SLOTS) === node) return `key ${i}`
  }
}
