/*
 * A discrete event simulation of many nodes that save to shared primaries.
 *
 * Each node has clients that save one message after another. A save takes the node's CPU, one core,
 * first come first served; then the node's log and the primary at the same time, and ends when both have
 * it. The log syncs one group at a time, and all that wait join the next. The batcher has two batches on
 * their way, of at most 256 messages. A primary has a number of cores, each working at one batch, and one
 * disk that also takes all who wait with one sync.
 *
 * Each time is drawn anew, evenly between half and one and a half of its measured middle.
 */
import { EventQueue } from './event-queue.ts'
import { quantile } from './measure.ts'

/** Measured times of the parts. Milliseconds. */
export interface ServiceTimes {
  /** CPU of a node for one save, all that it causes later included. */
  readonly saveCpuMs: number
  readonly logSyncMs: number
  /** From a node to a primary and back. */
  readonly roundTripMs: number
  /** CPU of a primary for one batch, and for each message of it. */
  readonly batchMs: number
  readonly rowMs: number
  readonly databaseSyncMs: number
}

export interface Cluster {
  readonly nodes: number
  /** Nodes are shared out between them: each keeps the conversations of its nodes. */
  readonly primaries: number
  readonly coresOfPrimary: number
  readonly clientsOfNode: number
}

export interface Simulated {
  readonly savesPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** Share of the time that each part was busy, the mean of all of its kind. */
  readonly busy: Readonly<Record<Part, number>>
}

export type Part = 'node CPU' | 'node disk' | 'primary CPU' | 'primary disk'

const BATCH_MAX = 256
const BATCHES_IN_FLIGHT = 2
/** Work that was done is kept in the line up to here: taking the first of a long one away is slow. */
const SERVED_MAX = 1_024
/** A part that is busy for this share of the time holds the others up. */
const BUSY_MIN = 0.85
const WARM_UP_MS = 500
const MEASURED_MS = 2_000

/** A save on its way: how many of its two places are still awaited. */
interface Save {
  readonly startedAt: number
  awaited: number
  readonly done: () => void
}

export function simulate(cluster: Cluster, times: ServiceTimes, random: () => number): Simulated {
  const queue = new EventQueue()
  const latencies: number[] = []
  const end = WARM_UP_MS + MEASURED_MS
  const drawn = (ms: number): number => ms * (0.5 + random())
  const isMeasured = (): boolean => queue.now >= WARM_UP_MS && queue.now < end

  const primaries = Array.from({ length: cluster.primaries }, () => {
    const cpu = new Servers(queue, cluster.coresOfPrimary)
    return { cpu, disk: new Groups(queue, () => drawn(times.databaseSyncMs)) }
  })
  const nodes = Array.from({ length: cluster.nodes }, (_, n) => {
    const cpu = new Servers(queue, 1)
    const disk = new Groups(queue, () => drawn(times.logSyncMs))
    const primary = primaries[n % primaries.length]!
    const waiting: Save[] = []
    let inFlight = 0
    const arrived = (save: Save): void => {
      if (--save.awaited === 0) save.done()
    }
    const send = (): void => {
      if (inFlight === BATCHES_IN_FLIGHT || waiting.length === 0) return
      const batch = waiting.splice(0, BATCH_MAX)
      inFlight++
      const answered = (): void => {
        inFlight--
        batch.forEach(arrived)
        send()
      }
      const back = (): void => queue.after(times.roundTripMs / 2, answered)
      queue.after(times.roundTripMs / 2, () => {
        const workMs = drawn(times.batchMs + times.rowMs * batch.length)
        primary.cpu.serve(workMs, () => primary.disk.join(back))
      })
    }
    const client = (): void => {
      const startedAt = queue.now
      const done = (): void => {
        if (isMeasured()) latencies.push(queue.now - startedAt)
        client()
      }
      const save: Save = { startedAt, awaited: 2, done }
      cpu.serve(drawn(times.saveCpuMs), () => {
        disk.join(() => arrived(save))
        waiting.push(save)
        send()
      })
    }
    for (let i = 0; i < cluster.clientsOfNode; i++) queue.after(random(), client)
    return { cpu, disk }
  })

  queue.runUntil(end)
  latencies.sort((a, b) => a - b)
  const mean = (busy: readonly number[]): number =>
    busy.reduce((sum, ms) => sum + ms, 0) / busy.length / end
  return {
    savesPerSecond: (latencies.length * 1000) / MEASURED_MS,
    p50Ms: quantile(latencies, 0.5),
    p99Ms: quantile(latencies, 0.99),
    busy: {
      'node CPU': mean(nodes.map(({ cpu }) => cpu.busyMs)),
      'node disk': mean(nodes.map(({ disk }) => disk.busyMs)),
      'primary CPU': mean(primaries.map(({ cpu }) => cpu.busyMs)) / cluster.coresOfPrimary,
      'primary disk': mean(primaries.map(({ disk }) => disk.busyMs)),
    },
  }
}

/**
 * What holds the others up. A node's CPU takes the same for each save. A busy primary gets larger batches,
 * and a busy disk more with each sync: both make saves wait first and still take more of them.
 */
export function boundOf({ busy }: Simulated): string {
  for (const cpu of ['node CPU', 'primary CPU'] as const) {
    if (busy[cpu] >= BUSY_MIN) return `${cpu} (${percent(busy[cpu])})`
  }
  const disk = busy['node disk'] > busy['primary disk'] ? 'node disk' : 'primary disk'
  return `the ${disk}; node CPU ${percent(busy['node CPU'])}, primary CPU ${percent(busy['primary CPU'])}`
}

function percent(share: number): string {
  return `${Math.round(Math.min(1, share) * 100)} %`
}

/** Equal servers with one line of work before them. */
class Servers {
  busyMs = 0
  readonly #queue: EventQueue
  #free: number
  readonly #line: { readonly ms: number; readonly done: () => void }[] = []
  #head = 0

  constructor(queue: EventQueue, count: number) {
    this.#queue = queue
    this.#free = count
  }

  serve(ms: number, done: () => void): void {
    this.#line.push({ ms, done })
    this.#start()
  }

  #start(): void {
    if (this.#free === 0 || this.#head === this.#line.length) return
    const { ms, done } = this.#line[this.#head++]!
    if (this.#head > SERVED_MAX) {
      this.#line.splice(0, this.#head)
      this.#head = 0
    }
    this.#free--
    this.busyMs += ms
    this.#queue.after(ms, () => {
      this.#free++
      done()
      this.#start()
    })
  }
}

/** One sync at a time; whoever comes meanwhile shares the next one. */
class Groups {
  busyMs = 0
  readonly #queue: EventQueue
  readonly #ms: () => number
  #gathering: (() => void)[] = []
  #running = false

  constructor(queue: EventQueue, ms: () => number) {
    this.#queue = queue
    this.#ms = ms
  }

  join(done: () => void): void {
    this.#gathering.push(done)
    if (!this.#running) this.#run()
  }

  #run(): void {
    const group = this.#gathering
    if (group.length === 0) return
    this.#gathering = []
    this.#running = true
    const ms = this.#ms()
    this.busyMs += ms
    this.#queue.after(ms, () => {
      this.#running = false
      for (const done of group) done()
      if (!this.#running) this.#run()
    })
  }
}
