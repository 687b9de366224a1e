import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { WHOLE_RANGE } from '../../src/backend/buckets.ts'
import { MemoryBackend } from '../../src/backend/memory/memory-backend.ts'
import { RedisDatabaseBackend } from '../../src/backend/redis/index.ts'
import type { LatestKey } from '../../src/backend/replica-backend.ts'
import { append, clear, edit, remove, set, stampAt } from '../../src/testing/backend/operations.ts'
import { redisCommand } from '../support/redis-command.ts'
import { describeRedis, startRedis, type RedisServer } from '../support/redis-server.ts'

const T = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map((n) => stampAt(n * 1_000))

/** More than the server looks at in one call of any script. */
const MANY = 11_000

describeRedis('Redis database', () => {
  let server: RedisServer
  beforeAll(async () => {
    server = await startRedis({ appendonly: 'no' })
  })
  afterAll(async () => await server.stop())

  async function setup(): Promise<readonly [RedisDatabaseBackend, MemoryBackend, string]> {
    const keyPrefix = `test-${randomBytes(6).toString('hex')}:`
    const backend = new RedisDatabaseBackend({ url: server.url, keyPrefix })
    const reference = new MemoryBackend()
    await Promise.all([backend.connect(), reference.connect()])
    onTestFinished(async () => await backend.disconnect())
    return [backend, reference, keyPrefix]
  }

  test('a database of a newer release is refused, and left as it is', async () => {
    const [backend, , keyPrefix] = await setup()
    await backend.apply([append('k', T[1]!, 'a')])
    const metas = (await redisCommand(
      server.url,
      'KEYS',
      `${keyPrefix}*meta*`,
    )) as readonly string[]
    await redisCommand(server.url, 'HSET', metas[0]!, 'format', '4')
    const older = new RedisDatabaseBackend({ url: server.url, keyPrefix })
    onTestFinished(async () => await older.disconnect())
    await expect(older.connect()).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      message: 'the Redis database is of a newer release: format 4, known is 3',
    })
    expect(await redisCommand(server.url, 'HGET', metas[0]!, 'format')).toBe('4')
  })

  // Goal: what a group has changed before a clear is judged by what it is then, not as it stood.
  test('a clear in a group is judged by what the group has left', async () => {
    const pair = await setup()
    for (const backend of pair.slice(0, 2) as readonly MemoryBackend[]) {
      await backend.apply([append('k', T[1]!, 'a', 'a'), append('k', T[2]!, 'b', 'b')])
      await backend.apply([edit('k', 'a', T[1]!, T[7]!, 'A'), edit('k', 'b', T[2]!, T[8]!, 'B')])
      const group = [remove('k', 'b', T[2]!, T[9]!), clear('k', T[6]!)]
      expect((await backend.apply(group, { decide: true })).applied).toEqual([
        { outcome: 'withheld' },
        { outcome: 'behind', stamp: T[7] },
      ])
      await backend.apply([set('r', T[3]!, 1)])
      await backend.apply([clear('r', T[3]!)])
      expect(await backend.get('r')).toBeUndefined()
    }
  })

  // Goal: what is over all keys is written once for a batch, and is as if each group had been alone.
  test('groups of one batch that change the same keys leave the lists as they should be', async () => {
    const [backend, reference] = await setup()
    const groups = [
      [append('a', T[1]!, 1)],
      [append('b', T[1]!, 1), append('c', T[3]!, 1, 'own')],
      [append('a', T[3]!, 2)],
      [append('a', T[2]!, 3)],
      [clear('b', T[2]!)],
      [remove('c', 'own', T[3]!, T[4]!), set('c', T[5]!, 1)],
      [append('d', T[6]!, 1)],
      [edit('d', T[6]!, T[6]!, T[7]!, 2)],
      [remove('a', T[3]!, T[3]!, T[8]!)],
      [append('e', T[1]!, 1)],
      [clear('e', T[2]!), append('e', T[3]!, 2)],
      [set('f', T[1]!, 1)],
      [clear('f', T[4]!)],
    ]
    for (const database of [backend, reference]) {
      await database.apply([append('b', T[0]!, 0)])
      await Promise.all(groups.map((group) => database.apply(group, { decide: true })))
    }
    const query = { prefix: '', limit: 100 }
    expect((await backend.listKeys(query)).keys).toEqual((await reference.listKeys(query)).keys)
    expect((await backend.listLatest(query)).keys).toEqual((await reference.listLatest(query)).keys)
    const digests = await backend.digest(WHOLE_RANGE, 8)
    expect(digests).toEqual(await reference.digest(WHOLE_RANGE, 8))
  })

  // Goal: no change makes a save dearer to the server. Counts, not seconds.
  test('a batch of appends costs three commands each and a few for all', async () => {
    const [backend] = await setup()
    const save = async (from: number): Promise<void> => {
      const saves = Array.from({ length: 128 }, async (_, i) => {
        await backend.apply([append(`c${i}`, stampAt(from + i), i)], { decide: true })
      })
      await Promise.all(saves)
    }
    await save(0)
    await redisCommand(server.url, 'CONFIG', 'RESETSTAT')
    await save(1_000)
    const stats = String(await redisCommand(server.url, 'INFO', 'commandstats'))
    const calls = [...stats.matchAll(/^cmdstat_(\w+):calls=(\d+)/gm)]
    const counted = calls.filter(([, name]) => /^(h|z)/.test(name!))
    const sum = counted.reduce((total, [, , count]) => total + Number(count), 0)
    expect(sum).toBeGreaterThanOrEqual(3 * 128)
    expect(sum).toBeLessThan(3.5 * 128)
  })

  // Goal: scripts stop at a bound so that nobody waits for long, and the caller goes on from there.
  test('listings, digests and scans of more than one call see everything once', async () => {
    const [backend, reference] = await setup()
    const operations = Array.from({ length: MANY }, (_, i) => {
      const name = i % 11 === 0 ? `few/${i}` : `many/${i}`
      return append(name, stampAt((i * 7) % MANY), i)
    })
    for (let at = 0; at < MANY; at += 1_000) {
      const group = operations.slice(at, at + 1_000)
      await Promise.all([backend.apply(group), reference.apply(group)])
    }
    for (const prefix of ['few/', 'many/', '']) {
      const query = { prefix, limit: 700 }
      const read: LatestKey[] = []
      for (;;) {
        const before = read.at(-1)
        const page = await backend.listLatest({ ...query, ...(before !== undefined && { before }) })
        read.push(...page.keys)
        if (page.done) break
      }
      const whole = await reference.listLatest({ prefix, limit: MANY })
      expect(read).toEqual(whole.keys)
      expect(await backend.list(prefix)).toEqual(await reference.list(prefix))
    }
    expect(await backend.digest(WHOLE_RANGE, 7)).toEqual(await reference.digest(WHOLE_RANGE, 7))
    const keys = new Set<string>()
    let count = 0
    for await (const operation of backend.scan(WHOLE_RANGE)) {
      keys.add(operation.key)
      count++
    }
    expect([keys.size, count]).toEqual([MANY, MANY])
  })

  test('a clear of a long list leaves nothing behind in the server', async () => {
    const [backend, , keyPrefix] = await setup()
    for (let at = 0; at < 5_000; at += 1_000) {
      await backend.apply(
        Array.from({ length: 1_000 }, (_, i) => append('k', stampAt(at + i), i, `id ${at + i}`)),
      )
    }
    await backend.apply([clear('k', stampAt(90_000))], { decide: true })
    expect(await backend.countItems('k')).toMatchObject({ count: 0 })
    const keys = (await redisCommand(server.url, 'KEYS', `${keyPrefix}*`)) as readonly string[]
    const left = keys.map((key) => key.slice(keyPrefix.length)).sort()
    // The tombstone is in the hash of the key and in the time line; its record counts it.
    expect(left).toEqual(['{0}:h:k', '{0}:heads', '{0}:meta', '{0}:time'])
    expect(await redisCommand(server.url, 'HLEN', `${keyPrefix}{0}:heads`)).toBe(1)
    expect(await redisCommand(server.url, 'HLEN', `${keyPrefix}{0}:h:k`)).toBe(2)
    expect(await redisCommand(server.url, 'ZCARD', `${keyPrefix}{0}:time`)).toBe(1)
  })

  test('two prefixes, and two databases of one server, are apart', async () => {
    const [one] = await setup()
    const [two, , keyPrefix] = await setup()
    const third = new RedisDatabaseBackend({ url: server.url, keyPrefix, db: 3 })
    onTestFinished(async () => await third.disconnect())
    await third.connect()
    await two.append('k', 1)
    expect(await one.list('')).toEqual([])
    expect(await third.list('')).toEqual([])
    expect(await two.list('')).toEqual(['k'])
  })

  test('processes that make the same new database at once agree on its identity', async () => {
    const keyPrefix = `test-${randomBytes(6).toString('hex')}:`
    const backends = Array.from(
      { length: 6 },
      () => new RedisDatabaseBackend({ url: server.url, keyPrefix, shards: 8 }),
    )
    onTestFinished(async () => {
      await Promise.all(backends.map(async (backend) => await backend.disconnect()))
    })
    await Promise.all(backends.map(async (backend) => await backend.connect()))
    const states = await Promise.all(backends.map(async (backend) => await backend.readState('w')))
    expect(new Set(states.map(({ identity }) => identity)).size).toBe(1)
  })
})
