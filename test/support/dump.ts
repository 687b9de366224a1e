/* All that is stored, as somebody has it who has stolen the database. */
import { gunzipSync } from 'node:zlib'
import pg from 'pg'
import type { PostgresOptions } from '../../src/backend/postgres/connection/options.ts'
import type { S3Server } from '../../simulator/s3/s3-server.ts'
import { redisCommand } from './redis-command.ts'

/** Every row of every table. */
export async function dumpPostgres({ url, schema }: PostgresOptions): Promise<Buffer> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const tables = await client.query<{ name: string }>(
      'SELECT tablename AS name FROM pg_catalog.pg_tables WHERE schemaname = $1',
      [schema],
    )
    const texts: string[] = []
    for (const { name } of tables.rows) {
      const { rows } = await client.query(`SELECT * FROM "${schema}"."${name}"`)
      texts.push(...rows.map((row) => JSON.stringify(row)))
    }
    return Buffer.from(texts.join('\n'))
  } finally {
    await client.end()
  }
}

/** Every key with the prefix, and what it holds. */
export async function dumpRedis(url: string, keyPrefix: string): Promise<Buffer> {
  const keys = (await redisCommand(url, 'KEYS', `${keyPrefix}*`)) as readonly string[]
  const texts: string[] = [...keys]
  for (const key of keys) {
    const type = await redisCommand(url, 'TYPE', key)
    const content =
      type === 'hash'
        ? await redisCommand(url, 'HGETALL', key)
        : await redisCommand(url, 'ZRANGE', key, '0', '-1')
    texts.push(...(content as readonly string[]))
  }
  return Buffer.from(texts.join('\n'))
}

/** Every object with the prefix, uncompressed. */
export function dumpBucket(server: S3Server, prefix: string): Buffer {
  const found = [...server.store().objects].filter(([name]) => name.startsWith(prefix))
  return Buffer.concat(found.map(([, { body }]) => contentOf(body)))
}

/** Of an object, which may be compressed. */
function contentOf(body: Buffer): Buffer {
  const split = body.indexOf('\n') + 1
  const isCompressed = body.subarray(0, split).includes(' gzip ')
  return isCompressed ? gunzipSync(body.subarray(split)) : body
}
