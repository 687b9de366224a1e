// Goal: what `erase-kill.test.ts` shows of files holds of servers: a Redis database and its dumps, the
// objects of a bucket, a shared log in Redis streams.
// Method: the same process, killed at the same steps and at those of these engines; both Redis servers
// write snapshots without compression, so that a word can be searched for.
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ChatHistoryOptions } from '../../src/index.ts'
import { S3Server } from '../../simulator/s3/s3-server.ts'
import { filesWith } from '../support/files-with.ts'
import { describeRedis, startRedis, type RedisServer } from '../support/redis-server.ts'
import { freshPrefix } from '../support/redis-stream-wal.ts'
import { expectErased, killedWhileErasing } from './erase-kill-run.ts'
import { CANARY } from './erase-options.ts'

/** Groups of a Redis Cluster have steps of their own: `redis-cluster-faults.test.ts`. */
const STEPS = [
  's3.beforeCommit',
  's3.afterCommit',
  'write.afterPrimary',
  'write.afterWal',
  'flush.beforeApply',
  'flush.afterApply',
  'erase.begun',
  'erase.beforeLog',
  'erase.beforePurge',
  'erase.beforeDone',
] as const

describeRedis('an erase on Redis, S3 and a shared log', () => {
  let servers: readonly RedisServer[]
  let bucket: S3Server
  beforeAll(async () => {
    const settings = { rdbcompression: 'no', save: '3600 1' }
    servers = [await startRedis({ settings }), await startRedis({ settings })]
    bucket = new S3Server()
    await bucket.start()
    process.env['AWS_ACCESS_KEY_ID'] = bucket.keys.accessKeyId
    process.env['AWS_SECRET_ACCESS_KEY'] = bucket.keys.secretAccessKey
  })
  afterAll(async () => {
    await Promise.all(servers.map((server) => server.stop()))
    await bucket.stop()
  })

  function options(): ChatHistoryOptions {
    const [database, log] = servers.map(({ url }) => url)
    const keyPrefix = freshPrefix()
    return {
      primary: { type: 'redis', url: database!, keyPrefix },
      backup: `s3://bucket/${keyPrefix.replaceAll(/\W/g, '')}?endpoint=${bucket.endpoint}`,
      wal: { type: 'redis-stream', url: log!, keyPrefix },
    } as ChatHistoryOptions
  }

  async function filesWithIt(): Promise<readonly string[]> {
    const found = servers.map((server) => filesWith(join(server.dir, 'data'), CANARY))
    return [...(await Promise.all(found)).flat(), ...bucket.store('bucket').holding(CANARY)]
  }

  test.each(STEPS)('killed at %s', async (step) => {
    const given = options()
    await killedWhileErasing(given, step)
    // At the last step nothing is left but to say so.
    if (step !== 'erase.beforeDone') expect(await filesWithIt()).not.toEqual([])
    await expectErased(given, filesWithIt)
  })
})
