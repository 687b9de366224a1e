import { afterAll, beforeAll } from 'vitest'
import { walConformance } from '../../src/testing/wal-conformance.ts'
import { describeRedis, startRedis, type RedisServer } from '../support/redis-server.ts'
import { freshPrefix, redisStreamWal } from '../support/redis-stream-wal.ts'

let server: RedisServer

describeRedis('Redis streams', () => {
  beforeAll(async () => {
    // Every append waits for the disk otherwise, and this suite is about answers.
    server = await startRedis({ appendonly: 'no' })
  })
  afterAll(async () => {
    await server.stop()
  })

  // With one partition the numbers of the stream are the LSNs, as the suite expects after opening a
  // log again. With several there is no order between them; `redis-stream.test.ts` has those.
  walConformance({
    name: 'RedisStreamWal with one partition',
    open: async () => {
      const keyPrefix = freshPrefix()
      return {
        create: (limits) =>
          redisStreamWal({ url: server.url, keyPrefix }, { partitions: 1, ...limits }),
      }
    },
  })
})
