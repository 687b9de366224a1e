import { randomBytes } from 'node:crypto'
import { Cluster } from 'ioredis'
import { afterAll, beforeAll } from 'vitest'
import { RedisDatabaseBackend, type RedisOptions } from '../../src/backend/redis/index.ts'
import { replicaBackendConformance } from '../../src/testing/replica-backend-conformance.ts'
import { startRedisCluster, type RedisCluster } from '../support/redis-cluster.ts'
import { startSentinel, type RedisSentinels } from '../support/redis-sentinel.ts'
import { describeRedis } from '../support/redis-server.ts'

/** This suite is about answers: a busy machine must not be taken for a server that hangs. */
const PATIENT = { connectTimeoutMs: 30_000, commandTimeoutMs: 30_000, socketTimeoutMs: 20_000 }

const options = new WeakMap<object, RedisOptions>()

describeRedis('Redis Cluster of three masters', () => {
  let cluster: RedisCluster
  let client: Cluster | undefined
  beforeAll(async () => {
    cluster = await startRedisCluster({ appendonly: 'no' })
  })
  afterAll(async () => {
    client?.disconnect()
    await cluster.stop()
  })

  replicaBackendConformance({
    name: 'redis cluster through node-redis',
    open: async () => await open({ url: cluster.url, keyPrefix: freshPrefix() }),
    reopen: async (backend) => await open(options.get(backend)!),
    capabilities: { persistent: true, propertyRuns: 5 },
  })

  replicaBackendConformance({
    name: 'redis cluster through ioredis',
    open: async () => {
      client ??= new Cluster([{ host: '127.0.0.1', port: cluster.nodes[0]!.port }], {
        enableOfflineQueue: false,
        lazyConnect: true,
        redisOptions: { autoResendUnfulfilledCommands: false },
      })
      client.setMaxListeners(100)
      return await open({ client, keyPrefix: freshPrefix() })
    },
    reopen: async (backend) => await open(options.get(backend)!),
    capabilities: { persistent: true, propertyRuns: 3 },
  })
})

describeRedis('Redis behind Sentinels', () => {
  let sentinels: RedisSentinels
  beforeAll(async () => {
    sentinels = await startSentinel({ appendonly: 'no', downAfterMs: 60_000 })
  })
  afterAll(async () => {
    await sentinels.stop()
  })

  replicaBackendConformance({
    name: 'redis sentinel',
    open: async () => await open({ url: sentinels.url, keyPrefix: freshPrefix() }),
    reopen: async (backend) => await open(options.get(backend)!),
    capabilities: { persistent: true, propertyRuns: 3 },
  })
})

function freshPrefix(): string {
  return `test-${randomBytes(6).toString('hex')}:`
}

async function open(chosen: RedisOptions): Promise<RedisDatabaseBackend> {
  const backend = new RedisDatabaseBackend({ ...PATIENT, ...chosen })
  options.set(backend, chosen)
  await backend.connect()
  return backend
}
