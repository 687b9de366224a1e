import { randomBytes } from 'node:crypto'
import { openRouter } from '../../src/backend/redis/connection/open-router.ts'
import {
  resolveRedisConnection,
  type RedisConnectionOptions,
} from '../../src/backend/redis/connection/options.ts'
import { nodeEnv } from '../../src/core/node-env.ts'
import { resolve } from '../../src/core/options.ts'
import {
  STREAM_OPTIONS,
  type ResolvedRedisStreamOptions,
} from '../../src/wal/redis-stream/options.ts'
import { RedisStreamWal } from '../../src/wal/redis-stream/stream-wal.ts'

/** A part of a server that no other test uses. */
export function freshPrefix(): string {
  return `test-${randomBytes(6).toString('hex')}:`
}

/** A log that is not open. Those with the same prefix share it. */
export function redisStreamWal(
  connection: RedisConnectionOptions,
  options: Partial<ResolvedRedisStreamOptions> = {},
): RedisStreamWal {
  const resolved = resolveRedisConnection({ commandTimeoutMs: 1_000, ...connection })
  return new RedisStreamWal(nodeEnv(), resolve('', options, STREAM_OPTIONS), {
    makeRouter: (env) => openRouter(env, resolved),
    keyPrefix: resolved.keyPrefix,
    timeoutMs: resolved.commandTimeoutMs,
  })
}
