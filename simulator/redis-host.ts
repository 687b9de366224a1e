import type { RawConnection } from '../src/backend/redis/connection/raw-connection.ts'
import { withDeadline } from '../src/core/time.ts'
import { SimulatedRedis, type Fsync } from './redis/simulated-redis.ts'
import type { Kernel } from './kernel.ts'
import type { RandomSource } from './random-source.ts'
import { RedisConnection } from './redis-connection.ts'
import type { Caller } from './remote-call.ts'
import { SimulatedServer } from './simulated-server.ts'

export interface RedisHostOptions {
  readonly kernel: Kernel
  readonly random: RandomSource
  readonly startMs: number
  readonly fsync: Fsync
}

export interface ConnectOptions {
  readonly caller: Caller
  readonly connectTimeoutMs: number
  readonly socketTimeoutMs: number
  readonly onLost: (error: unknown) => void
}

/** The machine with the Redis of a shared log, and the connections to it. */
export class RedisHost {
  readonly server: SimulatedServer<SimulatedRedis>
  readonly #kernel: Kernel
  readonly #random: RandomSource
  readonly #connections = new Set<RedisConnection>()

  constructor({ kernel, random, startMs, fsync }: RedisHostOptions) {
    this.#kernel = kernel
    this.#random = random
    const redis = new SimulatedRedis({
      now: () => startMs + kernel.now,
      makeRunId: () => Buffer.from(random.bytes(20)).toString('hex'),
      fsync,
    })
    this.server = new SimulatedServer(kernel, 'redis', random, redis)
  }

  /** Makes a connection; nobody answers while the server is paused, or cannot be reached. */
  async connect(options: ConnectOptions): Promise<RawConnection> {
    const { caller, connectTimeoutMs, socketTimeoutMs, onLost } = options
    const { server } = this
    const opened = new Promise<RawConnection>((resolve, reject) => {
      const settle = (run: () => void): void => {
        if (caller.life.isAlive) run()
      }
      this.#kernel.schedule(server.latencyMs(), () => {
        if (server.loses(caller.from, 'request')) return
        if (!server.isUp) settle(() => reject(new Error('connect ECONNREFUSED')))
        else {
          server.work(() => {
            const parts = {
              kernel: this.#kernel,
              server,
              caller,
              silenceMs: socketTimeoutMs,
              onLost,
            }
            const connection = new RedisConnection(parts)
            this.#connections.add(connection)
            this.#kernel.schedule(server.latencyMs(), () => settle(() => resolve(connection)))
          })
        }
      })
    })
    const what = 'connecting to the simulated Redis'
    return await withDeadline(caller.life.env, connectTimeoutMs, what, opened, { effect: 'none' })
  }

  /** The server dies, and with it what was not on its disk. */
  stop(): void {
    this.server.isUp = false
    this.server.content.restart(() => this.#random.chance(0.3))
    this.reset()
  }

  /** The server comes back with an empty disk, or is emptied while it runs. */
  wipe(): void {
    const { content } = this.server
    content.empty()
    if (this.#random.chance(0.5)) return
    content.restart(() => false)
    this.reset()
  }

  /** All connections end, as when something on the way forgets them. */
  reset(): void {
    for (const connection of this.#connections) connection.reset(this.#random.chance(0.8))
    this.#connections.clear()
  }

  heal(): void {
    this.server.content.isFull = false
    this.server.heal()
  }
}
