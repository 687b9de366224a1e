import {
  REDIS_CONNECTION,
  resolveRedis,
  whereOf,
  type RedisConnectionTable,
  type ResolvedRedisConnection,
} from '../backend/redis/connection/options.ts'
import { openRouter } from '../backend/redis/connection/open-router.ts'
import type { Env } from '../core/env.ts'
import { nodeEnv } from '../core/node-env.ts'
import { byDefault, oneOf } from '../core/option-kinds.ts'
import { pick, type Resolved } from '../core/options.ts'
import { STREAM_OPTIONS, type RedisStreamOptions } from './redis-stream/options.ts'
import { RedisStreamWal } from './redis-stream/stream-wal.ts'
import { MANAGER_OPTIONS, type WALManagerOptions } from './manager-options.ts'
import { WALManager } from './wal-manager.ts'

/** A shared log by `url` or by fields; a field wins over the same part of the url. */
export interface RedisStreamWALConfig extends RedisStreamOptions, WALManagerOptions {}

type StreamTable = RedisConnectionTable & typeof STREAM_OPTIONS & typeof MANAGER_OPTIONS

export const STREAM_WAL_OPTIONS: StreamTable = {
  ...REDIS_CONNECTION,
  ...STREAM_OPTIONS,
  ...MANAGER_OPTIONS,
  type: oneOf('redis-stream'),
  // A command of the log that is not answered by then has an unknown outcome.
  commandTimeoutMs: byDefault(1_000, REDIS_CONNECTION.commandTimeoutMs),
}

/** What the query of a URL says of the log itself: `?partitions=16&leaseMs=1000`. */
const QUERY = { ...STREAM_OPTIONS, onWalDown: MANAGER_OPTIONS.onWalDown }

/** Fills the defaults in and refuses what cannot work. */
export function resolveStreamWAL(
  config: RedisStreamWALConfig,
  path = '',
): { readonly resolved: Resolved<StreamTable>; readonly connection: ResolvedRedisConnection } {
  return resolveRedis(config, STREAM_WAL_OPTIONS, path, QUERY)
}

/**
 * A log in Redis streams that several processes share: each lays what the others appended, and no
 * database has yet, over its own reads. It is as durable as the settings of the server.
 */
export class RedisStreamWALManager extends WALManager {
  constructor(config: RedisStreamWALConfig, env: Env = nodeEnv()) {
    const { resolved, connection } = resolveStreamWAL(config)
    const stream = new RedisStreamWal(env, pick(STREAM_OPTIONS, resolved), {
      makeRouter: (current) => openRouter(current, connection),
      where: whereOf(connection),
      keyPrefix: connection.keyPrefix,
      timeoutMs: connection.commandTimeoutMs,
    })
    super(env, stream, pick(MANAGER_OPTIONS, resolved))
  }
}
