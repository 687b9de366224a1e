import { chownSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import pg from 'pg'
import { startPostgres, type PostgresServer } from './postgres-server.ts'
import { startRedis, type RedisServer } from './redis-server.ts'
import { CERTIFICATE, PRIVATE_KEY } from './self-signed.ts'

/** Servers that are as picky as real ones: with passwords, rights, encodings and limits. */
export interface StrictServers {
  /** Of databases of the picky PostgreSQL, for a user, with a password if one is given. */
  postgres(user: string, database?: string): string
  readonly redis: RedisServer
  readonly redisPassword: string
  readonly evicting: RedisServer
  stop(): Promise<void>
}

export const PASSWORD = 'correct-horse'

const HBA = `host all postgres 127.0.0.1/32 trust
host all weak 127.0.0.1/32 trust
host all app 127.0.0.1/32 scram-sha-256
`

export async function startStrictServers(): Promise<StrictServers> {
  const [server, redis, evicting] = await Promise.all([
    startPostgres(),
    startRedis({ settings: { requirepass: PASSWORD } }),
    startRedis({ settings: { maxmemory: '100mb', 'maxmemory-policy': 'allkeys-lru' } }),
  ])
  await setUp(server)
  return {
    postgres: (user, database = 'postgres') =>
      `postgresql://${user}@127.0.0.1:${server.port}/${database}`,
    redis,
    redisPassword: PASSWORD,
    evicting,
    async stop() {
      await Promise.all([server.stop(), redis.stop(), evicting.stop()])
    },
  }
}

async function setUp(server: PostgresServer): Promise<void> {
  const client = new pg.Client(server.url)
  await client.connect()
  for (const sql of [
    `CREATE ROLE app LOGIN PASSWORD '${PASSWORD}'`,
    'CREATE ROLE weak LOGIN',
    'REVOKE CREATE ON SCHEMA public FROM PUBLIC',
    `CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0`,
  ]) {
    await client.query(sql)
  }
  const { rows } = await client.query<{ hba_file: string }>('SHOW hba_file')
  const hba = rows[0]!.hba_file
  const files = { 'server.crt': CERTIFICATE, 'server.key': PRIVATE_KEY }
  for (const [name, text] of Object.entries(files)) {
    const path = join(dirname(hba), name)
    writeFileSync(path, text, { mode: 0o600 })
    if (process.getuid?.() !== 0) continue
    const { uid, gid } = statSync(hba)
    chownSync(path, uid, gid)
  }
  writeFileSync(hba, HBA)
  await client.query('ALTER SYSTEM SET ssl = on')
  await client.query('SELECT pg_reload_conf()')
  await client.end()
}
