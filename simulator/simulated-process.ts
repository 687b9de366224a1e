import type { Disk } from '../src/core/disk.ts'
import type { Env } from '../src/core/env.ts'
import { noFailpoints, type Failpoints } from '../src/core/failpoint.ts'
import { silentLogger, type Logger } from '../src/core/logger.ts'
import type { Kernel } from './kernel.ts'
import type { RandomSource } from './random-source.ts'

/** One life of a process, from its start to its crash or end. */
export interface Life {
  readonly incarnation: number
  readonly isAlive: boolean
  readonly env: Env
}

export interface SimulatedProcessOptions {
  readonly kernel: Kernel
  readonly index: number
  readonly random: RandomSource
  /** Wall clock at the start of the simulation. Unix milliseconds. */
  readonly startMs: number
  /** The disk of this process's machine as one life sees it. */
  readonly disk?: (life: Life) => Disk | undefined
  readonly logger?: (life: Life) => Logger
  readonly failpoints?: (life: Life) => Failpoints
}

class MutableLife implements Life {
  readonly incarnation: number
  isAlive = true
  env!: Env

  constructor(incarnation: number) {
    this.incarnation = incarnation
  }
}

/**
 * A process that can crash. All timers of a life end with it, and whatever was asked of a place is
 * never answered: after a crash nothing of that life runs.
 */
export class SimulatedProcess {
  readonly index: number
  /** How far the wall clock is off. Milliseconds. */
  skewMs = 0
  readonly #options: SimulatedProcessOptions
  #life: MutableLife | undefined
  #incarnations = 0
  #onEnd: (() => void)[] = []

  constructor(options: SimulatedProcessOptions) {
    this.#options = options
    this.index = options.index
  }

  get life(): Life | undefined {
    return this.#life
  }

  start(): Life {
    const life = new MutableLife(this.#incarnations++)
    this.#life = life
    life.env = this.#env(life)
    return life
  }

  /** Ends the present life at once. */
  crash(): void {
    const life = this.#life
    if (life === undefined) return
    life.isAlive = false
    this.#life = undefined
    for (const listener of this.#onEnd.splice(0)) listener()
  }

  /** Runs once, when the present life ends. */
  onEnd(listener: () => void): void {
    this.#onEnd.push(listener)
  }

  #env(life: MutableLife): Env {
    const { kernel, random, index, startMs, disk, logger, failpoints } = this.#options
    const self = {
      bootId: `boot-${index}`,
      pidNamespace: `machine-${index}`,
      pid: 100 + life.incarnation,
      startTime: `${life.incarnation}`,
    }
    return {
      now: () => Math.floor(startMs + kernel.now + this.skewMs),
      monotonic: () => kernel.now,
      setTimer: (delayMs, callback) =>
        kernel.schedule(delayMs, () => {
          if (life.isAlive) callback()
        }),
      random: () => random.next(),
      randomBytes: (count) => random.bytes(count),
      disk: disk?.(life) ?? noDisk(),
      process: {
        self,
        state: (other) =>
          other.pid === self.pid && other.bootId === self.bootId && life.isAlive ? 'alive' : 'dead',
      },
      logger: logger?.(life) ?? silentLogger,
      failpoints: failpoints?.(life) ?? noFailpoints,
    }
  }
}

function noDisk(): Disk {
  return new Proxy({} as Disk, {
    get: (_target, name) => () => {
      throw new Error(`this process has no disk, but ${String(name)} was called`)
    },
  })
}
