import { resolveRedisConnection } from '../src/backend/redis/connection/options.ts'
import { RedisNode } from '../src/backend/redis/connection/redis-node.ts'
import type { Env } from '../src/core/env.ts'
import { resolve } from '../src/core/options.ts'
import { STREAM_OPTIONS } from '../src/wal/redis-stream/options.ts'
import { RedisStreamWal } from '../src/wal/redis-stream/stream-wal.ts'
import type { WAL } from '../src/wal/wal.ts'
import type { LogDevice, LogFault } from './log-device.ts'
import type { RandomSource } from './random-source.ts'
import type { RedisHost } from './redis-host.ts'
import type { CallObserver } from './remote-call.ts'
import type { Life } from './simulated-process.ts'

const TIMEOUT_MS = 1_000

export interface RedisLogOptions {
  readonly host: RedisHost
  /** Index of the process. */
  readonly from: number
  readonly random: RandomSource
  readonly partitions: number
  /** Bytes of its own entries that a process keeps. */
  readonly memoryBytesMax: number
  /** Bytes that places may lack. */
  readonly pendingBytesMax: number
  readonly observe: CallObserver | undefined
}

/** A process's way to the real log in Redis streams, on a simulated server that all processes share. */
export class RedisLog implements LogDevice {
  readonly #options: RedisLogOptions
  #life: Life | undefined

  constructor(options: RedisLogOptions) {
    this.#options = options
  }

  createWal(env: Env): WAL {
    const { host, from, observe, partitions, memoryBytesMax, pendingBytesMax } = this.#options
    const caller = { life: this.#life!, from, observe }
    const connection = resolveRedisConnection({ commandTimeoutMs: TIMEOUT_MS })
    const options = resolve('', { partitions, memoryBytesMax, pendingBytesMax }, STREAM_OPTIONS)
    return new RedisStreamWal(env, options, {
      makeRouter: (current) =>
        new RedisNode({
          env: current,
          connection,
          locate: async () => connection.nodes[0]!,
          open: (_env, _address, limits, onLost) => host.connect({ ...limits, caller, onLost }),
        }),
      keyPrefix: connection.keyPrefix,
      timeoutMs: connection.commandTimeoutMs,
    })
  }

  attach(life: Life): undefined {
    this.#life = life
  }

  /** The server has its own power. */
  crash(): void {}

  /** `wal-out` is the server, the way to it, or all connections in a moment. */
  break(fault: LogFault): void {
    const { host, from, random } = this.#options
    switch (fault) {
      case 'wal-out': {
        const what = random.pick(['server', 'server', 'way', 'connections'] as const)
        if (what === 'server') host.stop()
        else if (what === 'way') host.server.cutOff.add(from)
        else host.reset()
        return
      }
      case 'wal-full':
        host.server.content.isFull = true
        return
      case 'wal-slow':
        host.server.slowness = 40
        return
      case 'wal-hang':
        host.server.isPaused = true
        return
    }
  }

  heal(): void {
    this.#options.host.heal()
  }
}
