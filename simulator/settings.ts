import type { Fsync } from './redis/simulated-redis.ts'
import type { RandomSource } from './random-source.ts'

/** What may go wrong. */
export type FaultName =
  | 'primary-down'
  | 'backup-down'
  | 'both-down'
  | 'primary-paused'
  | 'backup-paused'
  | 'partition'
  | 'kill'
  | 'power-cut'
  | 'restart'
  | 'drop'
  | 'replies-lost'
  | 'slow'
  | 'wal-out'
  | 'wal-slow'
  | 'wal-hang'
  | 'wal-full'
  | 'cache-out'
  | 'cache-slow'
  | 'cache-emptied'
  | 'clock'
  | 'wipe-primary'
  | 'wipe-backup'
  | 'wipe-log'

/** All but those that lose a disk. */
const ORDINARY_FAULTS: readonly FaultName[] = [
  'primary-down',
  'backup-down',
  'both-down',
  'primary-paused',
  'backup-paused',
  'partition',
  'kill',
  'power-cut',
  'restart',
  'drop',
  'replies-lost',
  'slow',
  'wal-out',
  'wal-slow',
  'wal-hang',
  'wal-full',
  'cache-out',
  'cache-slow',
  'cache-emptied',
  'clock',
]

/** One simulation. What is left out is drawn from the seed. */
export interface SimulationSettings {
  readonly processes: number
  readonly clientsPerProcess: number
  readonly operationsPerClient: number
  readonly conversations: number
  readonly write: 'idempotent' | 'wal-first' | 'dual-write'
  readonly read: 'primary-first' | 'failover' | 'cache-enhanced'
  readonly health: 'circuit-breaker' | 'simple'
  /**
   * `file`: the real file log on a simulated disk, one for each process. `redis-stream`: the real log in
   * Redis streams with its scripts, on a simulated server. `simulated`: a log of each process that
   * fails in every way that the port allows.
   */
  readonly wal: 'simulated' | 'file' | 'redis-stream'
  /** Streams of a log in Redis. */
  readonly partitions: number
  /** What the server of that log may lose when it is started again: nothing, or its last second. */
  readonly fsync: Fsync
  /** Bytes of its own entries that a process keeps to append them again to such a server. */
  readonly memoryBytesMax: number
  /** Bytes that places may lack of that log. */
  readonly pendingBytesMax: number
  /** Clocks are off by up to this much. Milliseconds. */
  readonly skewMs: number
  readonly faults: readonly FaultName[]
  /** Longest pause between two faults. Milliseconds. */
  readonly faultEveryMs: number
  readonly flushIntervalMs: number
  /** Chance that a process pauses at a failpoint, which widens every race there is. */
  readonly pauses: number
  /** Chance that it is killed there. */
  readonly deaths: number
  /**
   * Breaks an assumption, so that the promises cannot be kept: proves that a violation is found.
   * `lying-log`: a power cut takes what the simulated log had reported as synced. Never drawn.
   */
  readonly canary?: 'lying-log'
}

/** Clocks that are off by more are no good for order: what they stamp is followed for its key only. */
const GOOD_CLOCK_MS = 500
/** Beyond the five minutes to which all stamps are followed, and far beyond. */
const BAD_CLOCKS_MS = [400_000, 3_600_000]

/** True when clocks may be off by so much that a process has to notice. */
export function hasBadClocks({ skewMs }: SimulationSettings): boolean {
  return skewMs > GOOD_CLOCK_MS
}

/** As much as all entries of a simulation have. */
const ENOUGH_BYTES = 2 ** 20

export function drawSettings(
  random: RandomSource,
  given: Partial<SimulationSettings> = {},
): SimulationSettings {
  const drawn: SimulationSettings = {
    processes: random.integer(1, 4),
    clientsPerProcess: 2,
    operationsPerClient: 25,
    conversations: 2,
    write: random.pick(['idempotent', 'idempotent', 'wal-first', 'dual-write'] as const),
    read: random.pick(['primary-first', 'failover', 'cache-enhanced'] as const),
    health: random.pick(['circuit-breaker', 'simple'] as const),
    wal: random.pick(['simulated', 'file', 'file', 'redis-stream', 'redis-stream'] as const),
    ...drawRedis(random, given),
    skewMs: random.pick([0, 50, GOOD_CLOCK_MS]),
    faults: drawFaults(random),
    faultEveryMs: random.pick([600, 1_500, 2_500, 6_000]),
    flushIntervalMs: random.pick([500, 2_000, 5_000]),
    pauses: random.pick([0, 0, 0.02, 0.1]),
    deaths: random.pick([0, 0, 0.005]),
  }
  return { ...drawn, ...drawBadClocks(random, drawn), ...given }
}

/** Some seeds have clocks that are off by minutes or an hour, and jump. */
function drawBadClocks(
  random: RandomSource,
  { faults }: SimulationSettings,
): Partial<SimulationSettings> {
  const isBad = random.chance(0.2)
  const skewMs = random.pick(BAD_CLOCKS_MS)
  if (!isBad) return {}
  // What they do wrong ends with the next look at the primary's clock: one fault in four is a jump.
  const jumps = Array.from({ length: 1 + Math.floor(faults.length / 3) }, () => 'clock' as const)
  return { skewMs, faults: [...faults.filter((fault) => fault !== 'clock'), ...jumps] }
}

function drawRedis(
  random: RandomSource,
  given: Partial<SimulationSettings>,
): Pick<SimulationSettings, 'partitions' | 'fsync' | 'memoryBytesMax' | 'pendingBytesMax'> {
  // Of four, the two conversations are in different ones.
  const partitions = random.pick([1, 1, 4])
  const drawn = random.pick(['always', 'everysec'] as const)
  const memoryBytesMax = random.pick([500, ENOUGH_BYTES])
  const { fsync = drawn } = given
  // What such a server loses and memory has let go of is lost.
  return {
    partitions,
    fsync,
    memoryBytesMax: fsync === 'everysec' ? ENOUGH_BYTES : memoryBytesMax,
    pendingBytesMax: random.pick([2_000, ENOUGH_BYTES, ENOUGH_BYTES]),
  }
}

/** Swarm testing: a few kinds of fault at a time find more than always all of them. */
function drawFaults(random: RandomSource): readonly FaultName[] {
  const share = random.pick([0.15, 0.4, 1])
  return ORDINARY_FAULTS.filter(() => random.chance(share))
}
