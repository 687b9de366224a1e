import type { Disk } from './disk.ts'
import type { Failpoints } from './failpoint.ts'
import type { Logger } from './logger.ts'

/** A timer that is running. */
export interface Timer {
  cancel(): void
}

/** Who runs this code: enough to tell later whether that process is still alive. */
export interface ProcessIdentity {
  /**
   * Names this run of this kernel: boot_id of proc(5). Undefined where there is none: nothing else, the
   * host's name least of all, proves that two processes run on one kernel.
   */
  readonly bootId: string | undefined
  /** Process ids mean something only inside their namespace. Undefined where it is not known. */
  readonly pidNamespace: string | undefined
  readonly pid: number
  /** Start time of the process in the kernel's units: tells a reused pid apart. '0': not known. */
  readonly startTime: string
}

/**
 * The only door to clocks, timers, randomness and disk. Everything in `core`, `wal`, `health`,
 * `strategy`, `sync`, `store` and `chat` takes an `Env`, so the whole store runs in a
 * deterministic simulation.
 */
export interface Env {
  /** Wall clock, Unix milliseconds; may jump. For stamps and ages shown to people only. */
  now(): number
  /** Milliseconds that never go back. For every duration. */
  monotonic(): number
  /** Runs the callback once after at least `delayMs`. The timer does not keep the process alive. */
  setTimer(delayMs: number, callback: () => void): Timer
  /** Keeps the process alive until it is cancelled. Absent where no process could end. */
  keepAlive?(): Timer
  /** Uniform in [0, 1). */
  random(): number
  randomBytes(count: number): Uint8Array
  readonly disk: Disk
  readonly process: {
    readonly self: ProcessIdentity
    /**
     * `unknown` where this process cannot see the other one: another boot, or machine, or pid namespace, or
     * any of them not known.
     */
    state(identity: ProcessIdentity): 'alive' | 'dead' | 'unknown'
  }
  readonly logger: Logger
  readonly failpoints: Failpoints
}
