import type { Env } from '../../../core/env.ts'
import { messageOf, StorageError } from '../../../core/errors.ts'
import { awakeSleep } from '../../../core/keep-alive.ts'
import { pairsOf } from '../connection/raw-connection.ts'
import type { RedisRouter } from '../connection/router.ts'
import { parseInfo } from '../connection/server-info.ts'

const POLL_MS = 100

/**
 * Has the servers of these keys write their files anew, so that those hold nothing that the database
 * does not. Resolves, when that is done, with what it could not reach, in words.
 *
 * @throws StorageError `TIMEOUT` when a server is still at it at the deadline: try again.
 */
export async function rewriteFiles(
  env: Env,
  router: RedisRouter,
  keys: readonly string[],
  timeoutMs: number,
): Promise<readonly string[]> {
  const servers = new Map(keys.map((key) => [router.runIdOf(key), key]))
  const remains = new Set<string>()
  const until = env.monotonic() + timeoutMs
  for (const key of servers.values()) {
    for (const text of await rewriteServer(env, router, key, until)) remains.add(text)
  }
  if (router.servers.some(({ replicas }) => replicas > 0)) {
    remains.add('files of the replicas of Redis, until each writes its own anew')
  }
  return [...remains]
}

async function rewriteServer(
  env: Env,
  router: RedisRouter,
  key: string,
  until: number,
): Promise<readonly string[]> {
  try {
    const { hasLog, hasSnapshots } = await filesOf(router, key)
    // One that is under way may have begun before the payloads went.
    if (hasLog) await inTurn(env, router, key, 'BGREWRITEAOF', until)
    if (hasSnapshots) await inTurn(env, router, key, 'BGSAVE', until)
    return []
  } catch (error) {
    if (error instanceof StorageError) throw error
    return [`the files of Redis, which does not let them be written anew: ${messageOf(error)}`]
  }
}

async function filesOf(
  router: RedisRouter,
  key: string,
): Promise<{ readonly hasLog: boolean; readonly hasSnapshots: boolean }> {
  const info = await persistence(router, key)
  const settings = pairsOf(await router.send(key, ['CONFIG', 'GET', 'save']))
  return { hasLog: info.get('aof_enabled') === '1', hasSnapshots: settings.get('save') !== '' }
}

async function inTurn(
  env: Env,
  router: RedisRouter,
  key: string,
  command: 'BGREWRITEAOF' | 'BGSAVE',
  until: number,
): Promise<void> {
  await idle(env, router, key, until)
  await router.send(key, [command])
  await idle(env, router, key, until)
}

async function idle(env: Env, router: RedisRouter, key: string, until: number): Promise<void> {
  for (;;) {
    const info = await persistence(router, key)
    const names = ['aof_rewrite_in_progress', 'aof_rewrite_scheduled', 'rdb_bgsave_in_progress']
    if (names.every((name) => info.get(name) !== '1')) return
    if (env.monotonic() >= until) {
      throw new StorageError('TIMEOUT', 'Redis is still writing its files', { effect: 'unknown' })
    }
    await awakeSleep(env, POLL_MS)
  }
}

async function persistence(router: RedisRouter, key: string): Promise<ReadonlyMap<string, string>> {
  return parseInfo(String(await router.send(key, ['INFO', 'persistence'])))
}
