import type { Disk } from '../core/disk.ts'
import type { Env, ProcessIdentity, Timer } from '../core/env.ts'
import { noFailpoints, type Failpoints } from '../core/failpoint.ts'
import { silentLogger, type Logger } from '../core/logger.ts'
import { byDefault, having, integer, LOGGER, ms } from '../core/option-kinds.ts'
import { resolve, type OptionTable } from '../core/options.ts'

/** What a virtual environment starts with. */
export interface VirtualEnvOptions {
  /** Every random number follows from it. Default: 1. */
  readonly seed?: number
  /** Wall clock at the start, Unix milliseconds. Default: 2026-01-01. */
  readonly startMs?: number
  /** Default: none; each use of it throws. */
  readonly disk?: Disk
  readonly process?: Env['process']
  readonly logger?: Logger
  readonly failpoints?: Failpoints
}

/** An `Env` whose time stands still until it is told to move. */
export interface VirtualEnv extends Env {
  /**
   * Moves time on, running each timer that falls due at its own moment and in order, with all the
   * promises that it settles. Work that waits for a real server or disk is not waited for.
   */
  advance(ms: number): Promise<void>
  /** Runs what has been promised already, without moving time. */
  settle(): Promise<void>
  /** Advances by `stepMs` until the promise settles, and returns its outcome. */
  drive<T>(promise: Promise<T>, stepMs?: number, limitMs?: number): Promise<T>
  /** Sets the wall clock off by this much more; the monotonic clock goes on as before. */
  jumpWallClock(ms: number): void
  /** Timers that wait: 0 once everything is closed. */
  pendingTimers(): number
}

interface Pending {
  readonly dueMs: number
  readonly order: number
  readonly callback: () => void
}

/** Enough for the promises between one timer and the next: a turn drains the whole queue. */
const TURNS = 2

/** Timers that one `advance` may run: more are a loop that never lets time pass. */
const TIMERS_MAX = 1_000_000

export const VIRTUAL_ENV_OPTIONS: OptionTable<
  VirtualEnvOptions,
  'seed' | 'startMs' | 'logger' | 'failpoints'
> = {
  seed: byDefault(1, integer(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)),
  startMs: byDefault(Date.UTC(2026, 0, 1), ms(0, Number.MAX_SAFE_INTEGER)),
  disk: having('a Disk', ['open', 'list', 'remove']),
  process: having('what is known of processes', ['state']),
  logger: byDefault(silentLogger, LOGGER),
  failpoints: byDefault(noFailpoints, having<Failpoints>('failpoints', ['hit'])),
}

/** A deterministic environment for tests: virtual time and seeded randomness. */
export function virtualEnv(options: VirtualEnvOptions = {}): VirtualEnv {
  const given = resolve('', options, VIRTUAL_ENV_OPTIONS)
  const { seed, startMs, logger, failpoints, disk = noDisk() } = given
  const random = seededRandom(seed)
  const timers = new Set<Pending>()
  let elapsedMs = 0
  let wallMs = startMs
  let order = 0

  function next(untilMs: number): Pending | undefined {
    let first: Pending | undefined
    for (const timer of timers) {
      if (timer.dueMs > untilMs) continue
      if (first === undefined || isBefore(timer, first)) first = timer
    }
    return first
  }

  async function advance(ms: number): Promise<void> {
    const untilMs = elapsedMs + ms
    await settle()
    let ran = 0
    for (let timer = next(untilMs); timer !== undefined; timer = next(untilMs)) {
      if (++ran > TIMERS_MAX)
        throw new Error(`${TIMERS_MAX} timers at ${elapsedMs} ms: a busy loop?`)
      timers.delete(timer)
      elapsedMs = Math.max(elapsedMs, timer.dueMs)
      timer.callback()
      await settle()
    }
    elapsedMs = untilMs
  }

  return {
    now: () => wallMs + elapsedMs,
    monotonic: () => elapsedMs,
    setTimer(delayMs, callback): Timer {
      const timer = { dueMs: elapsedMs + Math.max(0, delayMs), order: order++, callback }
      timers.add(timer)
      return { cancel: () => void timers.delete(timer) }
    },
    random,
    randomBytes: (count) => Uint8Array.from({ length: count }, () => Math.floor(random() * 256)),
    disk,
    process: options.process ?? soleProcess(),
    logger,
    failpoints,
    advance,
    settle,
    async drive(promise, stepMs = 10, limitMs = 3_600_000) {
      let settled = false
      const done = (): void => {
        settled = true
      }
      promise.then(done, done)
      await settle()
      for (let spentMs = 0; !settled; spentMs += stepMs) {
        if (spentMs >= limitMs) throw new Error(`not settled after ${limitMs} virtual ms`)
        await advance(stepMs)
      }
      return await promise
    },
    jumpWallClock: (ms) => {
      wallMs += ms
    },
    pendingTimers: () => timers.size,
  }
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn++) {
    await new Promise<void>((resolve) => {
      setImmediate(resolve)
    })
  }
}

function isBefore(a: Pending, b: Pending): boolean {
  return a.dueMs === b.dueMs ? a.order < b.order : a.dueMs < b.dueMs
}

/** Uniform numbers in [0, 1) from a 32-bit xorshift generator. */
export function seededRandom(seed: number): () => number {
  // Neighbouring seeds are spread out first; the generator must not start at 0.
  let state = Math.imul(seed | 0, 0x9e3779b1) ^ 0x5bd1e995 || 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 0x1_0000_0000
  }
}

function soleProcess(): Env['process'] {
  const self: ProcessIdentity = { bootId: 'boot', pidNamespace: '1', pid: 1, startTime: '1' }
  const isSelf = (other: ProcessIdentity): boolean =>
    other.bootId === self.bootId && other.pid === self.pid && other.startTime === self.startTime
  return { self, state: (other) => (isSelf(other) ? 'alive' : 'dead') }
}

function noDisk(): Disk {
  return new Proxy({} as Disk, {
    get: (_target, name) => () => {
      throw new Error(`this virtual environment has no disk, but ${String(name)} was called`)
    },
  })
}
