import { randomBytes } from 'node:crypto'
import { Redis } from 'ioredis'
import { afterAll, beforeAll } from 'vitest'
import { RedisDatabaseBackend, type RedisOptions } from '../../src/backend/redis/index.ts'
import { replicaBackendConformance } from '../../src/testing/replica-backend-conformance.ts'
import { damageRedis } from '../support/damage.ts'
import { describeRedis, startRedis, type RedisServer } from '../support/redis-server.ts'

/** This suite is about answers: a busy machine must not be taken for a server that hangs. */
const PATIENT = { connectTimeoutMs: 30_000, commandTimeoutMs: 30_000, socketTimeoutMs: 20_000 }

const options = new WeakMap<object, RedisOptions>()
const clients: Redis[] = []

let server: RedisServer

describeRedis('Redis', () => {
  beforeAll(async () => {
    // Every save waits for the disk otherwise, and this suite is about answers.
    server = await startRedis({ appendonly: 'no' })
  })
  afterAll(async () => {
    for (const client of clients) client.disconnect()
    await server.stop()
  })

  replicaBackendConformance({
    name: 'redis through node-redis',
    open: async () => await open({ url: server.url, keyPrefix: freshPrefix() }),
    reopen: async (backend) => await open(options.get(backend)!),
    damage: async (backend, value) => {
      await damageRedis(server.url, options.get(backend)!.keyPrefix!, value)
    },
    capabilities: { persistent: true },
  })

  replicaBackendConformance({
    name: 'redis through ioredis',
    open: async () => await open({ client: ioredis(), keyPrefix: freshPrefix() }),
    reopen: async (backend) => await open(options.get(backend)!),
    capabilities: { persistent: true, propertyRuns: 10 },
  })
})

function freshPrefix(): string {
  return `test-${randomBytes(6).toString('hex')}:`
}

function ioredis(): Redis {
  const [first] = clients
  if (first !== undefined) return first
  const client = new Redis(server.port, '127.0.0.1', {
    autoResendUnfulfilledCommands: false,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    lazyConnect: true,
  })
  clients.push(client)
  return client
}

async function open(chosen: RedisOptions): Promise<RedisDatabaseBackend> {
  const backend = new RedisDatabaseBackend({ ...PATIENT, ...chosen })
  options.set(backend, chosen)
  await backend.connect()
  return backend
}
