import { afterAll, beforeAll, expect, test } from 'vitest'
import { WHOLE_RANGE } from '../../src/backend/buckets.ts'
import { MemoryBackend } from '../../src/backend/memory/memory-backend.ts'
import { RedisDatabaseBackend } from '../../src/backend/redis/index.ts'
import { append, edit, stampAt } from '../../src/testing/backend/operations.ts'
import { damageRedisRecord } from '../support/damage.ts'
import { reconcilerRig } from '../support/reconciler-rig.ts'
import { describeRedis, startRedis, type RedisServer } from '../support/redis-server.ts'

describeRedis('a Redis record that was written over', () => {
  let server: RedisServer
  beforeAll(async () => {
    server = await startRedis({ appendonly: 'no' })
  })
  afterAll(async () => await server.stop())

  test('is found and written anew with all of its parts from the other database', async () => {
    const primary = new RedisDatabaseBackend({ url: server.url, keyPrefix: 'written-over:' })
    const backup = new MemoryBackend()
    await primary.connect()
    await backup.connect()
    try {
      const operations = [
        append('k', stampAt(1_000), 'first', 'caller'),
        edit('k', 'caller', stampAt(1_000), stampAt(3_000), 'edited'),
        append('k', stampAt(2_000), 'second'),
      ]
      for (const backend of [primary, backup]) await backend.apply(operations)
      await damageRedisRecord(server.url, 'written-over:', 'k', 'caller')
      const { reconciler } = reconcilerRig(primary, backup)
      expect(await reconciler.verify()).toMatchObject({ damaged: 0, rowsRead: 0 })
      const found = await reconciler.verify({ deep: true })
      const parts = found.damagedRows.map(({ id, part }) => `${id} ${part}`)
      expect(parts.sort()).toEqual(['caller appended', 'caller edited'])
      expect((await reconciler.repair()).repaired).toBeGreaterThan(0)
      expect(await primary.getRange('k', 0, 9)).toEqual(['edited', 'second'])
      expect(await primary.digest(WHOLE_RANGE, 1)).toEqual(await backup.digest(WHOLE_RANGE, 1))
      expect(await reconciler.verify({ deep: true })).toMatchObject({ damaged: 0, differing: 0 })
    } finally {
      await primary.disconnect()
      await backup.disconnect()
    }
  })
})
