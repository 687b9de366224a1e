import type { Disk } from '../src/core/disk.ts'
import type { Env } from '../src/core/env.ts'
import { FileWal } from '../src/wal/file/file-wal.ts'
import type { WAL, WalOpened } from '../src/wal/wal.ts'
import {
  SimulatedDisk,
  type AttachedDisk,
  type SimulatedOperation,
} from '../src/testing/simulated-disk.ts'
import type { Kernel } from './kernel.ts'
import type { LogDevice, LogFault } from './log-device.ts'
import type { Life } from './simulated-process.ts'
import type { RandomSource } from './random-source.ts'

const DIRECTORY = '/wal'
/** Small, so that segments fill up and roll. */
const SEGMENT_BYTES = 8 * 1024
const HEARTBEAT_MS = 1_000
const OPERATION_MS = 0.8
/** What fails together while the disk is out. */
const OUTAGES: readonly (readonly SimulatedOperation[])[] = [
  ['write', 'sync', 'create'],
  ['create', 'rename', 'remove', 'sync-directory', 'listen', 'probe'],
  ['exists'],
]

/**
 * The file log without its ceiling. After a kill the ceiling puts the clock up to ten seconds ahead,
 * and with it the order of clears and saves between processes that cannot reach a common place: a
 * known weakness, which would hide all others.
 */
class UnraisedFileWal extends FileWal {
  override async open(writer: string): Promise<WalOpened> {
    return { ...(await super.open(writer)), ceilingMs: 0 }
  }
}

/** The disk of one machine, with the real file log on it. */
export class LogDisk implements LogDevice {
  readonly #random: RandomSource
  readonly #isRaised: boolean
  readonly #disk: SimulatedDisk
  /** Of the processes that have not been killed. */
  #attached: AttachedDisk | undefined
  #operationMs = OPERATION_MS

  /** `isRaised`: clocks may be off by more than the ceiling hides. */
  constructor(kernel: Kernel, random: RandomSource, startMs: number, isRaised: boolean) {
    this.#random = random
    this.#isRaised = isRaised
    this.#disk = new SimulatedDisk({
      now: () => startMs + kernel.now,
      delay: () => kernel.sleep(random.between(0.05, this.#operationMs)),
    })
  }

  createWal(env: Env): WAL {
    const Log = this.#isRaised ? FileWal : UnraisedFileWal
    return new Log(env, {
      directory: DIRECTORY,
      segmentBytes: SEGMENT_BYTES,
      heartbeatMs: HEARTBEAT_MS,
    })
  }

  attach(_life: Life): Disk {
    this.#attached = this.#disk.attach()
    return this.#attached
  }

  crash(power: boolean): void {
    this.#attached?.kill()
    if (power) this.#disk.crash(() => this.#random.next())
  }

  break(fault: LogFault): void {
    switch (fault) {
      case 'wal-out':
        for (const operation of this.#random.pick(OUTAGES)) {
          this.#disk.fail(operation, { times: Number.POSITIVE_INFINITY })
        }
        return
      case 'wal-full':
        this.#disk.capacity = 0
        return
      case 'wal-slow':
        this.#operationMs = 150
        return
      case 'wal-hang':
        this.#operationMs = 6_000
        return
    }
  }

  /** Somebody removes the folder; what is open stays open. */
  wipe(): void {
    this.#disk.wipe(DIRECTORY)
  }

  heal(): void {
    this.#disk.heal()
    this.#disk.capacity = Number.POSITIVE_INFINITY
    this.#operationMs = OPERATION_MS
  }
}
