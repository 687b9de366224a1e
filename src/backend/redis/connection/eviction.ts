import type { Env } from '../../../core/env.ts'
import { StorageError } from '../../../core/errors.ts'
import type { RedisRouter } from './router.ts'
import { evictionOf, type RedisServerInfo, type RedisUse } from './server-info.ts'

/**
 * A database or a log that may forget what it has acknowledged is none: it is refused at connect.
 *
 * @throws StorageError `UNSUPPORTED` naming the setting.
 */
export function refuseEviction(servers: readonly RedisServerInfo[], use: RedisUse): void {
  for (const server of servers) {
    const eviction = evictionOf(server, use)
    if (eviction !== undefined) throw new StorageError('UNSUPPORTED', `Redis: ${eviction}`)
  }
}

/** What was last said of the servers behind a router. */
const SAID = new WeakMap<RedisRouter, string | undefined>()

/** Reads the settings again, and says so once when a server that did not evict has begun to. */
export async function refreshSettings(env: Env, router: RedisRouter, use: RedisUse): Promise<void> {
  await router.refresh()
  const found = router.servers.map((server) => evictionOf(server, use))
  const eviction = found.find((text) => text !== undefined)
  if (eviction === SAID.get(router)) return
  SAID.set(router, eviction)
  const text = `Redis: ${eviction}; the ${use} is not durable any more`
  if (eviction !== undefined) env.logger.error({ use }, text)
}
