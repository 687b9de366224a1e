import type { Env } from '../src/core/env.ts'
import { StorageError } from '../src/core/errors.ts'
import type { Kernel } from './kernel.ts'
import type { RandomSource } from './random-source.ts'

/** A request that is on its way for longer is lost. */
const LATENCY_MS_MAX = 8_000

/** How a request ends at the process that sent it; when something was lost, once all has healed. */
export interface Reply<T> {
  readonly resolve: (value: T) => void
  readonly reject: (error: unknown) => void
}

/** What a server has of its machine: no disk, and no process that anybody looks for. */
export function serverEnv(kernel: Kernel, random: RandomSource, now: () => number): Env {
  return {
    now,
    monotonic: () => kernel.now,
    setTimer: (delayMs: number, callback: () => void) => kernel.schedule(delayMs, callback),
    random: () => random.next(),
    randomBytes: (count: number) => random.bytes(count),
  } as Env
}

/** A server, shared by all processes over a network that loses, delays and reorders. */
export class SimulatedServer<Content> {
  readonly content: Content
  readonly title: string
  /** Refuses everything while false. */
  isUp = true
  /** Takes requests but works on none of them: SIGSTOP. */
  isPaused = false
  /** Chance that a request, or a reply, is lost. */
  dropRequest = 0
  dropReply = 0
  /** Every latency is this many times longer. */
  slowness = 1
  /** Processes that cannot reach it. */
  readonly cutOff: Set<number> = new Set()
  /** Processes whose requests it refuses at once. */
  readonly refusing: Set<number> = new Set()
  readonly #kernel: Kernel
  readonly #random: RandomSource
  #waiting: (() => void)[] = []
  /** Rejects the calls that will not be answered. */
  #lost: ((error: unknown) => void)[] = []
  #arrivedMs = 0

  constructor(kernel: Kernel, title: string, random: RandomSource, content: Content) {
    this.#kernel = kernel
    this.#random = random
    this.title = title
    this.content = content
  }

  /** When all that was sent until now has arrived. */
  get arrivedMs(): number {
    return this.#arrivedMs
  }

  /** Undoes every fault. Whoever waits for what was lost learns that it was. */
  heal(): void {
    this.isUp = true
    this.dropRequest = this.dropReply = 0
    this.slowness = 1
    this.cutOff.clear()
    this.refusing.clear()
    this.resume()
    for (const reject of this.#lost.splice(0)) {
      this.#kernel.schedule(this.latencyMs(), () => reject(broken(this.title)))
    }
  }

  /** How long a request, or a reply, is on its way. Milliseconds. */
  latencyMs(): number {
    const random = this.#random
    const ms = random.chance(0.03) ? random.between(200, 1_500) : random.between(1, 15)
    const latencyMs = Math.min(LATENCY_MS_MAX, ms * this.slowness)
    this.#arrivedMs = Math.max(this.#arrivedMs, this.#kernel.now + latencyMs)
    return latencyMs
  }

  /** Whether what is sent to a process, or by it, is lost. */
  loses(from: number, what: 'request' | 'reply'): boolean {
    const chance = what === 'request' ? this.dropRequest : this.dropReply
    return this.cutOff.has(from) || this.#random.chance(chance)
  }

  /** Does the work at once, or when the server goes on. */
  work(work: () => void): void {
    if (this.isPaused) this.#waiting.push(work)
    else work()
  }

  resume(): void {
    this.isPaused = false
    for (const work of this.#waiting.splice(0)) work()
  }

  /** Sends a request. The reply may come late, or not until everything has healed. */
  request<T>(
    from: number,
    run: (content: Content) => Promise<T>,
    { resolve, reject }: Reply<T>,
  ): void {
    this.#kernel.schedule(this.latencyMs(), () => {
      if (this.loses(from, 'request')) return void this.#lost.push(reject)
      if (!this.isUp || this.refusing.has(from)) {
        this.#kernel.schedule(1, () => reject(refused(this.title)))
        return
      }
      this.work(() => {
        run(this.content).then(
          (value) => this.#reply(from, () => resolve(value), reject),
          (error: unknown) => this.#reply(from, () => reject(error), reject),
        )
      })
    })
  }

  #reply(from: number, settle: () => void, reject: (error: unknown) => void): void {
    this.#kernel.schedule(this.latencyMs(), () => {
      if (this.loses(from, 'reply')) return void this.#lost.push(reject)
      if (this.isUp) settle()
      else if (this.#random.chance(0.5)) reject(broken(this.title))
      else this.#lost.push(reject)
    })
  }
}

function refused(title: string): StorageError {
  return new StorageError('CONNECTION', `${title} refused the connection`, { effect: 'none' })
}

function broken(title: string): StorageError {
  return new StorageError('CONNECTION', `${title} closed the connection`, { effect: 'unknown' })
}
