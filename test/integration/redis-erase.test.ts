// Goal: what is erased is in no file of the Redis server, neither of the shared log nor of a database.
// Method: append-only file and snapshot are searched for a word that only erased payloads have.
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { RedisDatabaseBackend } from '../../src/backend/redis/backend.ts'
import { append, clear, stampAt } from '../../src/testing/backend/operations.ts'
import { readOperations } from '../../src/testing/wal/context.ts'
import { describeRedis, startRedis, type RedisServer } from '../support/redis-server.ts'
import { freshPrefix, redisStreamWal } from '../support/redis-stream-wal.ts'

const CANARY = 'canary-77ab'

async function filesWith(directory: string, word: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  const found = await Promise.all(
    entries
      .filter((entry) => entry.isFile() && !entry.name.endsWith('.log'))
      .map(async ({ parentPath, name }) => {
        // Files that were replaced are removed in the background.
        const bytes = await readFile(join(parentPath, name)).catch(() => Buffer.alloc(0))
        return bytes.includes(word) ? [name] : []
      }),
  )
  return found.flat()
}

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
    expect(await filesWith(server.dir, CANARY)).not.toEqual([])
    const { pending, remains } = await wal.erase((key) => (key === 'k' ? stampAt(500) : undefined))
    expect({ pending, remains }).toEqual({ pending: [], remains: [] })
    await expect.poll(() => filesWith(server.dir, CANARY), { timeout: 20_000 }).toEqual([])
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
    expect(await filesWith(server.dir, CANARY)).not.toEqual([])
    expect(await backend.purge()).toEqual([])
    await expect.poll(() => filesWith(server.dir, CANARY), { timeout: 20_000 }).toEqual([])
    expect((await backend.countItems('other')).count).toBe(1)
  })
})
