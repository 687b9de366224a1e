import type { Disk } from '../src/core/disk.ts'
import type { Env } from '../src/core/env.ts'
import type { WAL } from '../src/wal/wal.ts'
import type { Life } from './simulated-process.ts'

/** How a log can be broken for a while. */
export type LogFault = 'wal-out' | 'wal-slow' | 'wal-hang' | 'wal-full'

/** What of a process's log survives the process, and what can go wrong with it. */
export interface LogDevice {
  /** The log as one life uses it. */
  createWal(env: Env): WAL
  /** The disk of a life, for logs that need one. */
  attach(life: Life): Disk | undefined
  /** What is left for the next life: after a kill everything written, after a power cut less. */
  crash(power: boolean): void
  break(fault: LogFault): void
  heal(): void
  /** Its disk loses all that it has, while the process lives. Absent where that is another fault's. */
  wipe?(): void
}
