import { randomBytes } from 'node:crypto'
import { rename, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import { PostgresBackend } from '../../src/backend/postgres/index.ts'
import { RedisDatabaseBackend } from '../../src/backend/redis/index.ts'
import type { ReplicaBackend } from '../../src/backend/replica-backend.ts'
import { S3Client } from '../../src/backend/s3/protocol/client.ts'
import { S3Backend, type S3Credentials } from '../../src/backend/s3/index.ts'
import { resolveS3Options } from '../../src/backend/s3/protocol/options.ts'
import { SqliteBackend } from '../../src/backend/sqlite/backend.ts'
import { nodeEnv } from '../../src/core/node-env.ts'
import { damageSqlite } from '../../simulator/damage-sqlite.ts'
import { FaultProxy } from '../../src/testing/fault-proxy.ts'
import type { DamagedValue } from '../../src/testing/replica-backend-conformance.ts'
import { S3Server } from '../../simulator/s3/s3-server.ts'
import { damagePostgres, damageRedis } from './damage.ts'
import { startPostgres } from './postgres-server.ts'
import { redisCommand } from './redis-command.ts'
import { startRedis } from './redis-server.ts'

/** A database of one test, as an operator and a disaster see it. */
export interface OperatedPlace {
  readonly url: string
  /** Credentials that are not in the url. */
  readonly env?: Readonly<Record<string, string>>
  /** It can be reached no more, until `back`. What it has stays. */
  out(): Promise<void>
  back(): Promise<void>
  /** Everything that it had is gone, and an empty one is in its place. */
  lose(): Promise<void>
  /** Changes a value that it stored, past us. Of a bucket: any object of values, so any of their rows. */
  damage(value: DamagedValue): Promise<void>
  /** The database alone, as a program that is not a store would write to it. */
  open(): Promise<ReplicaBackend>
  /** Where these bytes are found, as far as they can be searched for from outside. */
  holding?(text: string): Promise<readonly string[]>
}

/** Servers of a test file that give out one new database after the other. */
export interface PlaceEngine {
  readonly name: string
  start(): Promise<void>
  /** @param directory Of the test. */
  create(directory: string): Promise<OperatedPlace>
  stop(): Promise<void>
}

export function sqliteEngine(): PlaceEngine {
  return {
    name: 'sqlite',
    start: async () => {},
    stop: async () => {},
    create: async (directory) => {
      const path = join(directory, `${randomBytes(4).toString('hex')}.db`)
      const files = ['', '-wal', '-shm'].map((end) => path + end)
      return {
        url: `sqlite:${path}`,
        out: async () => {
          // As on a volume that is not mounted: nothing can be opened, and nothing made.
          await rename(path, `${path}.away`)
          await symlink(join(directory, 'not mounted', 'file.db'), path)
        },
        back: async () => {
          await rm(path)
          await rename(`${path}.away`, path)
        },
        lose: async () => {
          for (const file of files) await rm(file, { force: true })
        },
        damage: async (value) => await damageSqlite(path, value, DAMAGED),
        open: async () => await connected(new SqliteBackend({ path })),
      }
    },
  }
}

export function postgresEngine(): PlaceEngine {
  let server: Awaited<ReturnType<typeof startPostgres>>
  const sql = async (text: string): Promise<void> => {
    const client = new pg.Client({ connectionString: server.url })
    await client.connect()
    try {
      await client.query(text)
    } finally {
      await client.end()
    }
  }
  return {
    name: 'postgresql',
    start: async () => {
      server = await startPostgres()
    },
    stop: async () => await server.stop(),
    create: async () => {
      const name = `test_${randomBytes(6).toString('hex')}`
      await sql(`CREATE DATABASE ${name}`)
      const url = server.url.replace(/[^/]+$/, name)
      return {
        url,
        out: async () => await server.kill(),
        back: async () => await server.restart(),
        lose: async () => {
          await sql(`DROP DATABASE ${name} WITH (FORCE)`)
          await sql(`CREATE DATABASE ${name}`)
        },
        damage: async (value) => await damagePostgres({ url, schema: 'public' }, value, DAMAGED),
        open: async () => await connected(new PostgresBackend({ url, maxConnections: 2 })),
      }
    },
  }
}

export function redisEngine(): PlaceEngine {
  let server: Awaited<ReturnType<typeof startRedis>>
  return {
    name: 'redis',
    start: async () => {
      server = await startRedis()
    },
    stop: async () => await server.stop(),
    create: async () => {
      const { url } = server
      await redisCommand(url, 'FLUSHALL')
      return {
        url,
        out: async () => await server.kill(),
        back: async () => await server.restart(),
        lose: async () => void (await redisCommand(url, 'FLUSHALL')),
        damage: async (value) => await damageRedis(url, 'everthread:', value, DAMAGED),
        open: async () => await connected(new RedisDatabaseBackend({ url })),
      }
    },
  }
}

/**
 * A bucket behind a proxy, which can be cut.
 *
 * @param given Of a server of others; our own without it. `s3://bucket?endpoint=http://host:port`
 */
export function s3Engine(given?: string): PlaceEngine {
  const own = given === undefined ? new S3Server() : undefined
  let proxy: FaultProxy
  let base: string
  let env: Readonly<Record<string, string>>
  return {
    name: own === undefined ? 's3 (a server of others)' : 's3',
    start: async () => {
      await own?.start()
      const server = new URL(own?.endpoint ?? new URL(given!).searchParams.get('endpoint')!)
      proxy = await FaultProxy.open({ host: server.hostname, port: Number(server.port) })
      base = `s3://${own === undefined ? new URL(given!).host : 'bucket'}`
      env = {
        AWS_ACCESS_KEY_ID: own?.keys.accessKeyId ?? process.env['AWS_ACCESS_KEY_ID']!,
        AWS_SECRET_ACCESS_KEY: own?.keys.secretAccessKey ?? process.env['AWS_SECRET_ACCESS_KEY']!,
      }
      if (own === undefined) await makeBucket(urlOf('all'), credentials())
    },
    stop: async () => {
      await proxy.close()
      await own?.stop()
    },
    create: async () => bucketOf(`test-${randomBytes(6).toString('hex')}`),
  }

  function urlOf(prefix: string): string {
    return `${base}/${prefix}?endpoint=http://127.0.0.1:${proxy.port}`
  }

  function credentials(): { readonly accessKeyId: string; readonly secretAccessKey: string } {
    return {
      accessKeyId: env['AWS_ACCESS_KEY_ID']!,
      secretAccessKey: env['AWS_SECRET_ACCESS_KEY']!,
    }
  }

  function bucketOf(prefix: string): OperatedPlace {
    const options = { url: urlOf(prefix), credentials: credentials() }
    const client = new S3Client(nodeEnv(), resolveS3Options(options))
    const call = { signal: AbortSignal.timeout(120_000) }
    const objects = async (): Promise<Map<string, Buffer>> => {
      const found = new Map<string, Buffer>()
      for (const name of await namesOf(client)) found.set(name, (await client.get(name, call))!)
      return found
    }
    return {
      url: options.url,
      env,
      out: async () => await proxy.set({ kind: 'refuse' }).then(() => proxy.killAll()),
      back: async () => await proxy.set({ kind: 'pass' }),
      lose: async () => await client.delete(await namesOf(client), call),
      damage: async () => {
        const segment = [...(await objects())].find(([, body]) => body.includes(' segment '))
        if (segment === undefined) throw new Error('nothing to damage: no value is large enough')
        const [name, body] = segment
        const damaged = Buffer.from(body)
        damaged[damaged.byteLength >> 1]! ^= 1
        await client.put(name, damaged, call)
      },
      open: async () => await connected(new S3Backend(options)),
      holding: async (text) =>
        [...(await objects())].filter(([, body]) => body.includes(text)).map(([name]) => name),
    }
  }
}

const DAMAGED = '{"content":"not what was said"}'

async function connected<T extends ReplicaBackend>(backend: T): Promise<T> {
  await backend.connect()
  return backend
}

async function namesOf(client: S3Client): Promise<string[]> {
  const names: string[] = []
  for (;;) {
    const startAfter = names.at(-1)
    const call = { signal: AbortSignal.timeout(30_000) }
    const page = await client.list('', { ...(startAfter !== undefined && { startAfter }) }, call)
    names.push(...page.objects.map(({ name }) => name))
    if (!page.isTruncated) return names
  }
}

/** Without a name below it, a write makes the bucket itself. */
async function makeBucket(url: string, credentials: S3Credentials): Promise<void> {
  const client = new S3Client(nodeEnv(), { ...resolveS3Options({ url, credentials }), root: '' })
  const call = { signal: AbortSignal.timeout(30_000) }
  await client.put('', new Uint8Array(), call).catch((error: unknown) => {
    if (!String(error).includes('BucketAlreadyOwnedByYou')) throw error
  })
}
