import { openRouter } from '../../backend/redis/connection/open-router.ts'
import type { ResolvedRedisConnection } from '../../backend/redis/connection/options.ts'
import type { RedisRouter } from '../../backend/redis/connection/router.ts'
import {
  durabilityOf,
  evictionOf,
  type RedisServerInfo,
  type RedisUse,
} from '../../backend/redis/connection/server-info.ts'
import type { Env } from '../../core/env.ts'
import { examineClock, examineTls } from './examine-hosts.ts'
import type { Findings } from './finding.ts'
import type { Located } from './located.ts'

/** Redis or Valkey as a database, a shared log or a cache. Nothing is written to it. */
export async function examineRedis(
  env: Env,
  connection: ResolvedRedisConnection,
  use: RedisUse | 'cache',
  found: Findings,
): Promise<Located | undefined> {
  if (connection.client === undefined) {
    const hosts = connection.nodes.map(({ host }) => host)
    examineTls(hosts, connection.tls ?? false, 'use rediss:// and TLS at the server', found)
  }
  const router = openRouter(env, connection)
  try {
    await router.connect()
    return await examineServers(router, connection, use, found)
  } finally {
    router.close()
  }
}

async function examineServers(
  router: RedisRouter,
  { db, keyPrefix }: ResolvedRedisConnection,
  use: RedisUse | 'cache',
  found: Findings,
): Promise<Located | undefined> {
  const { servers } = router
  const versions = [...new Set(servers.map(({ version }) => version))].join(', ')
  const count = servers.length === 1 ? '' : `, ${servers.length} servers`
  found.ok('connected', `Redis ${versions}${count}`)
  for (const server of servers) examineVersion(server, found)
  await examineClock(async () => {
    const [seconds, micros] = (await router.send(keyPrefix, ['TIME'])) as readonly string[]
    return Number(seconds) * 1_000 + Number(micros) / 1_000
  }, found)
  if (use === 'cache') return undefined
  for (const server of servers) {
    const eviction = evictionOf(server, use)
    if (eviction !== undefined) {
      found.fail('evicting', eviction, 'CONFIG SET maxmemory-policy noeviction, and in redis.conf')
    }
  }
  const { durable, reasons } = durabilityOf(servers, router.hasFailover, use)
  // An eviction has been told as what it is.
  const others = reasons.filter((reason) => !reason.startsWith('MESSAGES MAY BE EVICTED'))
  if (durable) found.ok('durable', others.join(', '))
  else if (others.length > 0) found.warn('not-durable', others.join('; '), durabilityAdvice(others))
  const server = `Redis ${servers.map(({ runId }) => runId).join(' ')}`
  return {
    disk: undefined,
    server,
    database: `${use} ${server} ${db} ${keyPrefix}`,
    isDurable: durable,
  }
}

function examineVersion({ version }: RedisServerInfo, found: Findings): void {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major > 6 || (major === 6 && minor >= 2)) return
  found.fail('too-old', `Redis ${version}: 6.2 or newer is needed`, 'upgrade the server')
}

function durabilityAdvice(reasons: readonly string[]): string {
  if (reasons.some((reason) => reason.startsWith('append'))) {
    return 'CONFIG SET appendonly yes, CONFIG SET appendfsync always, and both in redis.conf'
  }
  if (reasons.some((reason) => reason.startsWith('aof_'))) return 'free space on its disk'
  return 'keep the other database durable: what a replica lacks comes back from there'
}
