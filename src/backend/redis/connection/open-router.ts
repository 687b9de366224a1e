import type { Env } from '../../../core/env.ts'
import { ClusterRouter } from './cluster-router.ts'
import { GivenRouter } from './given-client.ts'
import type { ResolvedRedisConnection } from './options.ts'
import type { RedisRouter } from './router.ts'
import { SingleRouter } from './single-router.ts'

/** The router for these options, not connected yet. */
export function openRouter(env: Env, connection: ResolvedRedisConnection): RedisRouter {
  const { client, connectTimeoutMs } = connection
  if (client !== undefined) return new GivenRouter(env, client, connectTimeoutMs)
  if (connection.mode === 'cluster') return new ClusterRouter(env, connection)
  return new SingleRouter(env, connection)
}
