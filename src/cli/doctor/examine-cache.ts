import { createCache } from '../../backend/registry.ts'
import { isCacheBackend } from '../../backend/sources.ts'
import { REDIS_CACHE_OPTIONS } from '../../backend/redis/cache.ts'
import { resolveRedisConnection } from '../../backend/redis/connection/options.ts'
import { resolveMemcachedOptions } from '../../backend/memcached/options.ts'
import { checkCacheSource } from '../../backend/check-source.ts'
import type { Env } from '../../core/env.ts'
import { StorageManager } from '../../manager/storage-manager.ts'
import { cachePartsOf, type CachePlaceConfig } from '../../store/place-config.ts'
import { examineTls } from './examine-hosts.ts'
import { examineRedis } from './examine-redis.ts'
import type { Findings } from './finding.ts'

/** The cache. It may lose everything at any time, so only its connection counts. */
export async function examineCache(
  env: Env,
  place: CachePlaceConfig,
  found: Findings,
): Promise<void> {
  const cache = place instanceof StorageManager ? undefined : cachePartsOf('cache', place).cache
  if (cache === undefined || isCacheBackend(cache)) {
    found.note('not-examined', 'it is an object of the configuration, which only it knows')
    return
  }
  const config = checkCacheSource(cache, 'cache')
  if (isCacheBackend(config)) return
  switch (config.type) {
    case 'redis': {
      const connection = resolveRedisConnection(config, REDIS_CACHE_OPTIONS)
      await examineRedis(env, connection, 'cache', found)
      return
    }
    case 'memcached': {
      const { servers } = resolveMemcachedOptions(config)
      const hosts = servers.map((server) => server.slice(0, server.lastIndexOf(':')))
      examineTls(hosts, false, 'keep it in a network that you trust, or use rediss://', found)
      const backend = await createCache(config, env)
      await backend.connect()
      await backend.disconnect()
      found.ok('connected', `Memcached at ${servers.join(', ')}`)
      return
    }
    case 'in-memory':
      found.ok('connected', 'in the memory of this process, right where one process writes')
  }
}
