import type { DatabasePlace } from '../src/core/places.ts'
import { DurableMemoryBackend } from '../src/testing/durable-memory-backend.ts'
import type { Kernel } from './kernel.ts'
import type { RandomSource } from './random-source.ts'
import { serverEnv, SimulatedServer } from './simulated-server.ts'

/** One database server. What it has applied is durable; it loses it only by `wipe`. */
export class SimulatedDatabase extends SimulatedServer<DurableMemoryBackend> {
  readonly name: DatabasePlace
  readonly #clock: { skewMs: number }

  constructor(kernel: Kernel, name: DatabasePlace, random: RandomSource, startMs: number) {
    const clock = { skewMs: 0 }
    const now = (): number => Math.floor(startMs + kernel.now + clock.skewMs)
    super(kernel, name, random, new DurableMemoryBackend(serverEnv(kernel, random, now)))
    this.name = name
    this.#clock = clock
  }

  /** Sets how far the server's clock is off. Milliseconds. */
  setClock(skewMs: number): void {
    this.#clock.skewMs = skewMs
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
