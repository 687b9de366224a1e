import type { Env } from '../../../core/env.ts'
import { ClusterRouter } from './cluster-router.ts'
import { GivenRouter } from './given-client.ts'
import type { RedisAddress, ResolvedRedisConnection } from './options.ts'
import { RedisNode } from './redis-node.ts'
import type { RedisRouter } from './router.ts'
import { askSentinels } from './sentinel.ts'

/** The router for these options, not connected yet. */
export function openRouter(env: Env, connection: ResolvedRedisConnection): RedisRouter {
  const { client, connectTimeoutMs } = connection
  if (client !== undefined) return new GivenRouter(env, client, connectTimeoutMs)
  if (connection.mode === 'cluster') return new ClusterRouter(env, connection)
  const locate = async (): Promise<RedisAddress> =>
    connection.mode === 'sentinel' ? await askSentinels(env, connection) : connection.nodes[0]!
  return new RedisNode({ env, connection, locate })
}
