import { randomBytes } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import type { Env, ProcessIdentity } from './env.ts'
import { noFailpoints, type Failpoints } from './failpoint.ts'
import { harmlessLogger, silentLogger, type Logger } from './logger.ts'
import { nodeDisk } from './node-disk.ts'
import { byDefault, having, LOGGER } from './option-kinds.ts'
import { resolve, type OptionTable } from './options.ts'

/** Any long time: what counts is that the interval is there. */
const KEEP_ALIVE_MS = 2 ** 30

/** No start time: there is no /proc, or it does not show the process. */
const UNKNOWN_TIME = '0'

/** What of `nodeEnv` is replaced. */
export interface NodeEnvOptions {
  readonly logger?: Logger
  readonly failpoints?: Failpoints
}

export const NODE_ENV_OPTIONS: OptionTable<NodeEnvOptions, keyof NodeEnvOptions> = {
  logger: byDefault(silentLogger, LOGGER),
  failpoints: byDefault(noFailpoints, having<Failpoints>('failpoints', ['hit'])),
}

/** The real environment: this machine's clocks, disk and randomness. */
export function nodeEnv(options: NodeEnvOptions = {}): Env {
  const { logger, failpoints } = resolve('', options, NODE_ENV_OPTIONS)
  const self = ownIdentity()
  return {
    now: () => Date.now(),
    monotonic: () => performance.now(),
    setTimer(delayMs, callback) {
      const timeout = setTimeout(callback, delayMs)
      timeout.unref()
      return { cancel: () => clearTimeout(timeout) }
    },
    keepAlive() {
      const interval = setInterval(() => {}, KEEP_ALIVE_MS)
      return { cancel: () => clearInterval(interval) }
    },
    random: () => Math.random(),
    randomBytes: (count) => randomBytes(count),
    disk: nodeDisk,
    process: { self, state: (identity) => processState(self, identity) },
    logger: harmlessLogger(logger),
    failpoints,
  }
}

function ownIdentity(): ProcessIdentity {
  return {
    bootId: readOr('/proc/sys/kernel/random/boot_id', '') || undefined,
    pidNamespace: linkOr('/proc/self/ns/pid', '').replace(/\D/g, '') || undefined,
    pid: process.pid,
    startTime: startTimeOf(process.pid) ?? UNKNOWN_TIME,
  }
}

function processState(self: ProcessIdentity, other: ProcessIdentity): 'alive' | 'dead' | 'unknown' {
  if (self.bootId === undefined || other.bootId !== self.bootId) return 'unknown'
  if (self.pidNamespace === undefined || other.pidNamespace !== self.pidNamespace) return 'unknown'
  if (!isRunning(other.pid)) return 'dead'
  const startTime = startTimeOf(other.pid) ?? UNKNOWN_TIME
  const isTold = startTime !== UNKNOWN_TIME && other.startTime !== UNKNOWN_TIME
  return isTold && startTime !== other.startTime ? 'dead' : 'alive'
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM: it is there, but somebody else's.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Field 22 of proc(5) stat: the start time in clock ticks. Undefined where there is no /proc. */
function startTimeOf(pid: number): string | undefined {
  const stat = readOr(`/proc/${pid}/stat`, '')
  // The second field is the command in parentheses and may contain anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  // A zombie has ended: it only waits to be collected by its parent.
  if (fields[0] === 'Z') return 'ended'
  return stat === '' ? undefined : fields[19]
}

function readOr(path: string, fallback: string): string {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return fallback
  }
}

function linkOr(path: string, fallback: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return fallback
  }
}
