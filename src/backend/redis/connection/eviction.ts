import type { Env } from '../../../core/env.ts'
import { StorageError } from '../../../core/errors.ts'
import type { RedisRouter } from './router.ts'
import type { RedisServerInfo } from './server-info.ts'

/** What is kept on a server. Keys of a database never expire; some of a log do. */
export type RedisUse = 'database' | 'log'

/**
 * Why the server may throw away what it holds when it is full, or undefined when it never does. The
 * `volatile-…` policies take only keys that expire.
 */
export function evictionOf(
  { maxMemory, maxMemoryPolicy }: Pick<RedisServerInfo, 'maxMemory' | 'maxMemoryPolicy'>,
  use: RedisUse,
): string | undefined {
  if (maxMemory === 0 || maxMemoryPolicy === 'noeviction') return undefined
  if (use === 'database' && maxMemoryPolicy.startsWith('volatile-')) return undefined
  return `MESSAGES MAY BE EVICTED: maxmemory-policy is ${maxMemoryPolicy} with a maxmemory of ${maxMemory} bytes, must be noeviction`
}

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
