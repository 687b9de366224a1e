import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import { MemoryBackend } from '../../src/backend/memory/memory-backend.ts'
import { PostgresBackend } from '../../src/backend/postgres/index.ts'
import { RedisDatabaseBackend } from '../../src/backend/redis/index.ts'
import type { ReplicaBackend } from '../../src/backend/replica-backend.ts'
import { S3Backend } from '../../src/backend/s3/index.ts'
import { SqliteBackend } from '../../src/backend/sqlite/backend.ts'
import { damageSqlite } from '../../simulator/damage-sqlite.ts'
import { S3Server } from '../../simulator/s3/s3-server.ts'
import type { DamagedValue } from '../../src/testing/replica-backend-conformance.ts'
import { damagePostgres, damageRedis } from './damage.ts'
import { dumpBucket, dumpPostgres, dumpRedis } from './dump.ts'
import { freshSchema } from './postgres-backend.ts'
import { hasRedis, startRedis, type RedisServer } from './redis-server.ts'

/** An engine of which new and empty databases can be had. */
export interface ReplicaEngine {
  readonly name: string
  readonly open: () => Promise<ReplicaBackend>
  /** Changes a stored value past the backend. Absent where there is nothing to be damaged. */
  readonly damage?: (backend: ReplicaBackend, value: DamagedValue) => Promise<void>
  /** All that is stored, of one that was disconnected. Absent where that is nothing. */
  readonly dump?: (backend: ReplicaBackend) => Promise<Buffer>
}

/**
 * Every engine whose server is installed here. Called once in a test file, at its top.
 *
 * @param url Of the shared PostgreSQL, which is started for files that name it.
 */
export function replicaEngines(url: string | undefined): readonly ReplicaEngine[] {
  return [
    { name: 'memory', open: async () => await connected(new MemoryBackend()) },
    sqlite(),
    ...(url === undefined ? [] : [postgres()]),
    ...(hasRedis ? [redis()] : []),
    s3(),
  ]
}

function sqlite(): ReplicaEngine {
  const directory = mkdtempSync(join(tmpdir(), 'everthread-pairs-'))
  const paths = new WeakMap<object, string>()
  let files = 0
  afterAll(() => rmSync(directory, { recursive: true, force: true }))
  return {
    name: 'sqlite',
    open: async () => {
      const path = join(directory, `${++files}.db`)
      const backend = await connected(new SqliteBackend({ path }))
      paths.set(backend, path)
      return backend
    },
    damage: async (backend, value) => await damageSqlite(paths.get(backend)!, value),
    dump: async (backend) => await readFile(paths.get(backend)!),
  }
}

function postgres(): ReplicaEngine {
  const schemas = new WeakMap<object, ReturnType<typeof freshSchema>>()
  return {
    name: 'postgresql',
    open: async () => {
      const options = freshSchema()
      const backend = await connected(new PostgresBackend({ ...options, maxConnections: 3 }))
      schemas.set(backend, options)
      return backend
    },
    damage: async (backend, value) => await damagePostgres(schemas.get(backend)!, value),
    dump: async (backend) => await dumpPostgres(schemas.get(backend)!),
  }
}

function redis(): ReplicaEngine {
  const prefixes = new WeakMap<object, string>()
  let server: RedisServer
  beforeAll(async () => {
    server = await startRedis({ appendonly: 'no' })
  })
  afterAll(async () => await server.stop())
  return {
    name: 'redis',
    open: async () => {
      const keyPrefix = `pair-${randomBytes(6).toString('hex')}:`
      const backend = await connected(new RedisDatabaseBackend({ url: server.url, keyPrefix }))
      prefixes.set(backend, keyPrefix)
      return backend
    },
    damage: async (backend, value) => {
      await damageRedis(server.url, prefixes.get(backend)!, value)
    },
    dump: async (backend) => await dumpRedis(server.url, prefixes.get(backend)!),
  }
}

function s3(): ReplicaEngine {
  const server = new S3Server()
  const prefixes = new WeakMap<object, string>()
  beforeAll(() => server.start())
  afterAll(() => server.stop())
  return {
    name: 's3',
    open: async () => {
      const prefix = `pair-${randomBytes(6).toString('hex')}`
      const { endpoint, keys: credentials } = server
      const options = { bucket: 'bucket', prefix, endpoint, credentials }
      const backend = await connected(new S3Backend(options))
      prefixes.set(backend, prefix)
      return backend
    },
    dump: (backend) => Promise.resolve(dumpBucket(server, prefixes.get(backend)!)),
  }
}

async function connected<T extends ReplicaBackend>(backend: T): Promise<T> {
  await backend.connect()
  return backend
}
