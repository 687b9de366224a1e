import type { RedisConnectionOptions } from '../../backend/redis/options.ts'
import type { RedisRouter } from '../../backend/redis/router.ts'
import type { Env } from '../../core/env.ts'
import { checkInteger } from '../../core/limits.ts'

const MIB = 1024 * 1024

/** Where a shared log is, and how it behaves. */
export interface RedisStreamOptions extends RedisConnectionOptions {
  /**
   * Streams that a new log is made of; one that stands keeps its own number. Each is in one slot of a
   * Cluster. Default: 8.
   */
  readonly partitions?: number
  /** Entries that a process leaves alone for this long may be taken over. ms. Default: 2,000. */
  readonly leaseMs?: number
  /** Bytes that places may lack; beyond, appends are `OVERLOADED`. Default: 1 GiB. */
  readonly pendingBytesMax?: number
  /** Bytes of own entries that are kept to append them again when the server lost them. Default: 64 MiB. */
  readonly memoryBytesMax?: number
}

export interface ResolvedRedisStreamOptions {
  readonly partitions: number
  readonly leaseMs: number
  readonly pendingBytesMax: number
  readonly memoryBytesMax: number
}

/** Fills the defaults in and refuses what cannot work. */
export function resolveRedisStreamOptions(
  options: Omit<RedisStreamOptions, keyof RedisConnectionOptions>,
): ResolvedRedisStreamOptions {
  const { partitions = 8, leaseMs = 2_000 } = options
  const { pendingBytesMax = 1024 * MIB, memoryBytesMax = 64 * MIB } = options
  return {
    partitions: checkInteger('wal.partitions', partitions, 1, 256),
    leaseMs: checkInteger('wal.leaseMs', leaseMs, 50, 3_600_000),
    pendingBytesMax: checkInteger('wal.pendingBytesMax', pendingBytesMax, 1, 2 ** 50),
    memoryBytesMax: checkInteger('wal.memoryBytesMax', memoryBytesMax, 0, 2 ** 40),
  }
}

/** How a log reaches its server. */
export interface RedisStreamWalParts {
  readonly makeRouter: (env: Env) => RedisRouter
  readonly keyPrefix: string
  readonly timeoutMs: number
}
