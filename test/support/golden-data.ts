import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { onTestFinished } from 'vitest'
import type { PostgresOptions } from '../../src/backend/postgres/connection/options.ts'
import { RedisDatabaseBackend } from '../../src/backend/redis/index.ts'
import { freshSchema, postgresUrl } from './postgres-backend.ts'
import { redisCommand } from './redis-command.ts'
import { startRedis, type RedisServer } from './redis-server.ts'
import { testBucket, type TestBucket } from './s3-bucket.ts'

const PREFIX = 'p:'

/** What an earlier release wrote to each engine, in a folder below `test/golden`. Each copy is the test's own. */
export class GoldenData {
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
  }

  json<T>(name: string): T {
    return JSON.parse(readFileSync(this.#path(name), 'utf8')) as T
  }

  /** Its path. */
  sqliteFile(): string {
    const folder = mkdtempSync(join(tmpdir(), 'everthread-golden-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const path = join(folder, 'chat.db')
    cpSync(this.#path('chat.db'), path)
    return path
  }

  async postgresSchema(): Promise<PostgresOptions> {
    const options = freshSchema()
    const client = new pg.Client({ connectionString: postgresUrl! })
    await client.connect()
    const dump = readFileSync(this.#path('postgres.sql'), 'utf8')
    await client.query(
      dump
        .replaceAll('SCHEMA.', `${options.schema}.`)
        .replaceAll('SCHEMA SCHEMA', `SCHEMA ${options.schema}`),
    )
    await client.end()
    return options
  }

  /** Processes that start together bring it up to date together. */
  async redisDatabase(): Promise<{
    server: RedisServer
    prefix: string
    backend: RedisDatabaseBackend
  }> {
    const server = await startRedis({ appendonly: 'no' })
    onTestFinished(() => server.stop())
    for (const command of this.json<string[][]>('redis.json')) {
      await redisCommand(server.url, ...command)
    }
    const open = async (): Promise<RedisDatabaseBackend> => {
      const backend = new RedisDatabaseBackend({ url: server.url, keyPrefix: PREFIX })
      onTestFinished(() => backend.disconnect())
      await backend.connect()
      return backend
    }
    const [backend] = await Promise.all([open(), open(), open()])
    return { server, prefix: PREFIX, backend }
  }

  async bucket(name: string): Promise<TestBucket> {
    const bucket = await testBucket()
    for (const [object, body] of this.json<[string, string][]>(name)) {
      const bytes = Buffer.from(body, 'base64')
      bucket.server.store().put(object.replace('PREFIX', bucket.options.prefix!), bytes, Date.now())
    }
    return bucket
  }

  #path(name: string): string {
    return fileURLToPath(new URL(`../golden/${this.#folder}/${name}`, import.meta.url))
  }
}
