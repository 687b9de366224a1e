import type { RedisConnectionOptions } from '../../backend/redis/connection/options.ts'
import type { RedisRouter } from '../../backend/redis/connection/router.ts'
import type { Env } from '../../core/env.ts'
import { MIB } from '../../core/limits.ts'
import { byDefault, bytes, integer, ms } from '../../core/option-kinds.ts'
import type { OptionTable } from '../../core/options.ts'

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

type Own = Omit<RedisStreamOptions, keyof RedisConnectionOptions>

export const STREAM_OPTIONS: OptionTable<Own, keyof Own> = {
  partitions: byDefault(8, integer(1, 256)),
  leaseMs: byDefault(2_000, ms(50, 3_600_000)),
  pendingBytesMax: byDefault(1024 * MIB, bytes(1, 2 ** 50)),
  memoryBytesMax: byDefault(64 * MIB, bytes(0, 2 ** 40)),
}

/** How a log reaches its server. */
export interface RedisStreamWalParts {
  readonly makeRouter: (env: Env) => RedisRouter
  /** The servers in messages. Default: no address is told. */
  readonly where?: string
  readonly keyPrefix: string
  readonly timeoutMs: number
}
