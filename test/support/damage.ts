import pg from 'pg'
import { itemKeyOf } from '../../src/backend/postgres/rows/item-key.ts'
import type { PostgresOptions } from '../../src/backend/postgres/connection/options.ts'
import type { DamagedValue } from '../../src/testing/replica-backend-conformance.ts'
import { redisCommand } from './redis-command.ts'

/** Changes a stored value of a PostgreSQL schema, and nothing else of its row. */
export async function damagePostgres(
  { url, schema }: PostgresOptions,
  { key, part, id }: DamagedValue,
  text: string | null = 'damaged',
): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const { rowCount } =
      part === 'register'
        ? await client.query(
            `UPDATE "${schema}".everthread_keys SET register_value = $2 WHERE key = $1`,
            [key, text],
          )
        : await client.query(
            `UPDATE "${schema}".everthread_items SET ${part} = $2 WHERE key = $1 AND item = $3`,
            [key, text, itemKeyOf(id!).item],
          )
    if (rowCount !== 1) throw new Error('nothing to damage')
  } finally {
    await client.end()
  }
}

/** Changes a stored value of a Redis database of one shard, and nothing else of its record. */
export async function damageRedis(
  url: string,
  keyPrefix: string,
  { key, part, id }: DamagedValue,
  text = 'damaged',
): Promise<void> {
  const hash = `${keyPrefix}{0}:h:${key}`
  if (part === 'register') {
    await redisCommand(url, 'HSET', hash, 'v', text)
    return
  }
  const record = (await redisCommand(url, 'HGET', hash, `.${id}`)) as string | null
  if (record === null) throw new Error('nothing to damage')
  await redisCommand(url, 'HSET', hash, `.${id}`, damagedRecord(record, part, text))
}

/** Writes over a whole record of a Redis database of one shard. */
export async function damageRedisRecord(
  url: string,
  keyPrefix: string,
  key: string,
  id: string,
): Promise<void> {
  await redisCommand(url, 'HSET', `${keyPrefix}{0}:h:${key}`, `.${id}`, 'not a record')
}

function damagedRecord(record: string, part: 'appended' | 'edited', text: string): string {
  if (record[0] === 'a') return record.slice(0, 49) + text
  const split = record.indexOf('\0', 217)
  return part === 'appended'
    ? record.slice(0, 217) + text + record.slice(split)
    : record.slice(0, split + 1) + text
}
