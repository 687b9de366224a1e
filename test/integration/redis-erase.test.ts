// Goal: what is erased is in no file of the Redis server, neither of the shared log nor of a database.
// Method: append-only file and snapshot are searched for a word that only erased payloads have.
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { RedisDatabaseBackend } from '../../src/backend/redis/backend.ts'
import { append, clear, stampAt } from '../../src/testing/backend/operations.ts'
import { readOperations } from '../../src/testing/wal/context.ts'
import { openChatHistory } from '../../src/index.ts'
import { describeServers } from '../fault/support/describe-servers.ts'
import { filesWith } from '../support/files-with.ts'
import { startPostgres } from '../support/postgres-server.ts'
import { describeRedis, startRedis, type RedisServer } from '../support/redis-server.ts'
import { freshPrefix, redisStreamWal } from '../support/redis-stream-wal.ts'

const CANARY = 'canary-77ab'

describeRedis('erasing in Redis', () => {
  let server: RedisServer
  beforeAll(async () => {
    // No compression: a word that is searched for must be in the file as it is.
    server = await startRedis({ settings: { rdbcompression: 'no', save: '3600 1' } })
  })
  afterAll(() => server.stop())

  test('the shared log has no byte of the payloads, also while a place that is out keeps others', async () => {
    const keyPrefix = freshPrefix()
    const wal = redisStreamWal({ url: server.url, keyPrefix }, { partitions: 2 })
    await wal.open('8000-000000000001')
    onTestFinished(() => wal.close())
    for (let i = 0; i < 100; i++) {
      const lsn = await wal.append([
        append(`other ${i % 3}`, stampAt(i), `kept ${i}`),
        append('k', stampAt(i), `${CANARY} ${i} ${'x'.repeat(100)}`),
      ])
      if (i % 2 === 0) wal.acknowledge('primary', [lsn])
      if (i % 4 === 0) wal.acknowledge('backup', [lsn])
      if (i % 9 === 1) await wal.quarantine('backup', lsn, 'refused')
    }
    const before = await readOperations(wal, 'backup')
    const dead = wal.stats().places.backup.quarantinedEntries
    expect(await filesWith(join(server.dir, 'data'), CANARY)).not.toEqual([])
    const { pending, remains } = await wal.erase((key) => (key === 'k' ? stampAt(500) : undefined))
    expect({ pending, remains }).toEqual({
      pending: [],
      remains: ['memory of other processes, until they have seen this erase'],
    })
    await expect
      .poll(() => filesWith(join(server.dir, 'data'), CANARY), { timeout: 20_000 })
      .toEqual([])
    const expected = before.map((operation) =>
      operation.key === 'k' ? clear('k', stampAt(500)) : operation,
    )
    expect(await readOperations(wal, 'backup')).toEqual(expected)
    await wal.close()
    const again = redisStreamWal({ url: server.url, keyPrefix }, { partitions: 2 })
    await again.open('8000-000000000002')
    onTestFinished(() => again.close())
    const sorted = (list: readonly unknown[]): unknown[] =>
      list.map((o) => JSON.stringify(o)).sort()
    expect(sorted(await readOperations(again, 'backup'))).toEqual(sorted(expected))
    expect(again.stats().places.backup.quarantinedEntries).toBe(dead)
  })

  test('a database has no byte of what was deleted once it was purged', async () => {
    const backend = new RedisDatabaseBackend({ url: server.url, keyPrefix: freshPrefix() })
    await backend.connect()
    onTestFinished(() => backend.disconnect())
    for (let i = 0; i < 50; i++) await backend.apply([append('k', stampAt(i), `${CANARY} ${i}`)])
    await backend.apply([append('other', stampAt(60), 'kept')])
    await backend.apply([clear('k', stampAt(100))])
    expect(await filesWith(join(server.dir, 'data'), CANARY)).not.toEqual([])
    expect(await backend.purge()).toEqual([])
    await expect
      .poll(() => filesWith(join(server.dir, 'data'), CANARY), { timeout: 20_000 })
      .toEqual([])
    expect((await backend.countItems('other')).count).toBe(1)
  })
})

describeServers('erasing with a shared log', () => {
  test('a conversation in Redis, PostgreSQL and streams goes from all of them, and says what remains', async () => {
    const [postgres, redis] = await Promise.all([
      startPostgres(),
      startRedis({ settings: { rdbcompression: 'no' } }),
    ])
    onTestFinished(async () => {
      await Promise.all([postgres.stop(), redis.stop()])
    })
    const schema = `test_${randomBytes(6).toString('hex')}`
    const history = await openChatHistory({
      primary: { type: 'redis', url: redis.url, keyPrefix: freshPrefix() },
      backup: { type: 'postgresql', url: postgres.url, schema },
      wal: `redis-stream${redis.url.slice('redis'.length)}`,
    })
    onTestFinished(() => history.close())
    for (let i = 0; i < 20; i++) {
      await history.saveMessage('doomed', { role: 'user', content: `${CANARY} ${i}` })
      await history.saveMessage('kept', { role: 'user', content: 'kept' })
    }
    const receipt = await history.eraseConversation('doomed')
    expect(receipt.complete ? [] : receipt).toEqual([])
    expect(receipt.places.backup.remains.join()).toMatch(/pg_wal/)
    expect(await history.countMessages('kept')).toBe(20)
    expect(await history.countMessages('doomed')).toBe(0)
    const files = (): Promise<readonly string[]> => filesWith(join(redis.dir, 'data'), CANARY)
    await expect.poll(files, { timeout: 20_000 }).toEqual([])
  })
})
