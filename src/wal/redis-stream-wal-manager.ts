import { resolveRedisConnection, type ResolvedRedisConnection } from '../backend/redis/options.ts'
import { openRouter } from '../backend/redis/open-router.ts'
import type { Env } from '../core/env.ts'
import { invalid } from '../core/errors.ts'
import { nodeEnv } from '../core/node-env.ts'
import {
  resolveRedisStreamOptions,
  type RedisStreamOptions,
  type ResolvedRedisStreamOptions,
} from './redis-stream/options.ts'
import { RedisStreamWal } from './redis-stream/stream-wal.ts'
import type { WALManagerOptions } from './manager-options.ts'
import { WALManager } from './wal-manager.ts'

/** A shared log by `url` or by fields; a field wins over the same part of the url. */
export interface RedisStreamWALConfig extends RedisStreamOptions, WALManagerOptions {}

/** A command of the log that is not answered by then has an unknown outcome. Milliseconds. */
const COMMAND_MS = 1_000

/**
 * A log in Redis streams that several processes share: each lays what the others appended, and no
 * database has yet, over its own reads. It is as durable as the settings of the server.
 */
export class RedisStreamWALManager extends WALManager {
  constructor(config: RedisStreamWALConfig, env: Env = nodeEnv()) {
    const { wal, connection, manager } = split(config)
    const stream = new RedisStreamWal(env, wal, {
      makeRouter: (current) => openRouter(current, connection),
      keyPrefix: connection.keyPrefix,
      timeoutMs: connection.commandTimeoutMs,
    })
    super(env, stream, manager)
  }
}

interface Split {
  readonly wal: ResolvedRedisStreamOptions
  readonly connection: ResolvedRedisConnection
  readonly manager: WALManagerOptions
}

function split(config: RedisStreamWALConfig): Split {
  const { flushIntervalMs, gatherMs, batchEntries, owedBytesMax, onWalDown, ...rest } = config
  const { partitions, leaseMs, pendingBytesMax, memoryBytesMax, ...connection } = rest
  const given = { ...fromQuery(config.url), ...defined({ partitions, leaseMs, pendingBytesMax }) }
  const manager = { flushIntervalMs, gatherMs, batchEntries, owedBytesMax, onWalDown }
  return {
    wal: resolveRedisStreamOptions({ ...given, ...defined({ memoryBytesMax }) }),
    connection: resolveRedisConnection(
      { ...connection, commandTimeoutMs: connection.commandTimeoutMs ?? COMMAND_MS },
      'everthread:',
    ),
    manager: { ...downFromQuery(config.url), ...defined(manager) },
  }
}

/** What a connection string says of the log itself: `?partitions=16&leaseMs=1000`. */
function fromQuery(url: string | undefined): Partial<ResolvedRedisStreamOptions> {
  const query = queryOf(url)
  return Object.fromEntries(
    ['partitions', 'leaseMs', 'pendingBytesMax', 'memoryBytesMax'].flatMap((name) => {
      const text = query.get(name)
      if (text === null) return []
      if (!/^\d+$/.test(text)) throw invalid(`wal: ${name} must be a number`)
      return [[name, Number(text)]]
    }),
  )
}

function downFromQuery(url: string | undefined): WALManagerOptions {
  const text = queryOf(url).get('onWalDown')
  if (text === null) return {}
  if (text !== 'direct' && text !== 'refuse')
    throw invalid('wal: onWalDown must be direct or refuse')
  return { onWalDown: text }
}

function queryOf(url: string | undefined): URLSearchParams {
  return url !== undefined && URL.canParse(url) ? new URL(url).searchParams : new URLSearchParams()
}

function defined<T extends object>(
  options: T,
): Partial<{ [K in keyof T]: Exclude<T[K], undefined> }> {
  return Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as Partial<{ [K in keyof T]: Exclude<T[K], undefined> }>
}
