import type { Env } from '../../core/env.ts'
import type { DatabasePlace } from '../../core/operation.ts'
import { DurableMemoryBackend } from '../durable-memory-backend.ts'
import type { Kernel } from './kernel.ts'
import type { RandomSource } from './random-source.ts'
import { SimulatedServer } from './simulated-server.ts'

/** One database server. What it has applied is durable; it loses it only by `wipe`. */
export class SimulatedDatabase extends SimulatedServer<DurableMemoryBackend> {
  readonly name: DatabasePlace

  constructor(kernel: Kernel, name: DatabasePlace, random: RandomSource, startMs: number) {
    const env = {
      now: () => Math.floor(startMs + kernel.now),
      monotonic: () => kernel.now,
      random: () => random.next(),
      randomBytes: (count: number) => random.bytes(count),
    } as Env
    super(kernel, name, random, new DurableMemoryBackend(env))
    this.name = name
  }

  /** The engine itself, without a network: for checks at the end. */
  get backend(): DurableMemoryBackend {
    return this.content
  }

  async start(): Promise<void> {
    await this.backend.connect()
  }

  wipe(): void {
    this.backend.wipe()
  }
}
