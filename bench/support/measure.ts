import { cpus } from 'node:os'
import { performance } from 'node:perf_hooks'

/** One thing to measure: saves or reads that run `concurrency` at a time. */
export interface Subject {
  readonly name: string
  /** What its acknowledgement promises, beside its figure. */
  readonly promise: string
  /** One operation. */
  run(round: number, i: number): Promise<unknown>
  /** Waits for what goes on behind the operations, so that the next subject does not pay for it. */
  settle?(): Promise<unknown>
  close(): Promise<void>
}

/** How long a sample is. */
export type Extent = { readonly operations: number } | { readonly seconds: number }

/** A subject in a process of its own (`inOwnProcess`), measured in turn with others. */
export interface Measured {
  readonly name: string
  readonly promise: string
  sample(round: number, concurrency: number, extent: Extent): Promise<Sample>
  close(): Promise<void>
}

export interface Sample {
  /** Operations per second. */
  readonly rate: number
  /** Milliseconds. */
  readonly p50: number
  readonly p99: number
  /** CPU of this process and its threads an operation; that of servers is not in it. Microseconds. */
  readonly cpuUs?: number
  /** Part of the time of all cores that was used, by whatever process: 0 to 1. */
  readonly busy?: number
  /** Part of the time that the event loop of this process was busy: 0 to 1. */
  readonly loop?: number
  /** Most heap above what stood there before, garbage included. MiB. */
  readonly heapMiB?: number
}

export interface Row {
  readonly name: string
  readonly promise: string
  readonly concurrency: number
  readonly rate: number
  readonly p50: number
  readonly p99: number
  /** Absent where several processes were measured, or none. */
  readonly cpuUs?: number
  readonly busy?: number
  readonly loop?: number
  readonly heapMiB?: number
  /** Rate as a multiple of the first subject's, median over the rounds. */
  readonly ratio: number
  /** p50 as a multiple of the first subject's. */
  readonly p50Ratio: number
}

/** Of one sample of `compare`. */
export const SAMPLE_SECONDS: number = Number(process.env['SAMPLE_SECONDS'] ?? 3)
/** How many of them pass before anything is counted: until then its code is compiled. */
const WARM_UPS = 2

/** How often the heap is looked at while a sample runs. */
const HEAP_EVERY_MS = 10

/** Runs operations, `concurrency` at a time. */
export async function sample(
  subject: Subject,
  round: number,
  concurrency: number,
  extent: Extent,
): Promise<Sample> {
  const latencies: number[] = []
  let next = 0
  globalThis.gc?.()
  const standing = process.memoryUsage().heapUsed
  let most = standing
  const watch = setInterval(() => {
    most = Math.max(most, process.memoryUsage().heapUsed)
  }, HEAP_EVERY_MS)
  const startedAt = performance.now()
  const cpu = process.cpuUsage()
  const loop = performance.eventLoopUtilization()
  const machine = machineTimes()
  const goesOn = (): boolean =>
    'seconds' in extent
      ? performance.now() < startedAt + extent.seconds * 1000
      : next < extent.operations
  const worker = async (): Promise<void> => {
    while (goesOn()) {
      const i = next++
      const before = performance.now()
      await subject.run(round, i)
      latencies.push(performance.now() - before)
    }
  }
  await Promise.all(Array.from({ length: concurrency }, worker))
  const seconds = (performance.now() - startedAt) / 1000
  const { user, system } = process.cpuUsage(cpu)
  const { used, all } = machineTimes()
  clearInterval(watch)
  await subject.settle?.()
  latencies.sort((a, b) => a - b)
  return {
    rate: next / seconds,
    p50: quantile(latencies, 0.5),
    p99: quantile(latencies, 0.99),
    cpuUs: (user + system) / next,
    busy: (used - machine.used) / Math.max(1, all - machine.all),
    loop: performance.eventLoopUtilization(loop).utilization,
    heapMiB: (most - standing) / 2 ** 20,
  }
}

function machineTimes(): { readonly used: number; readonly all: number } {
  let [used, all] = [0, 0]
  for (const { times } of cpus()) {
    const { user, nice, sys, idle, irq } = times
    used += user + nice + sys + irq
    all += user + nice + sys + irq + idle
  }
  return { used, all }
}

/** Interleaves the subjects (A B C A B C …), so that all meet the same machine. */
export async function compare(
  subjects: readonly Measured[],
  concurrency: number,
  rounds: number,
): Promise<Row[]> {
  const extent = { seconds: SAMPLE_SECONDS }
  const samples = new Map<Measured, Sample[]>(subjects.map((subject) => [subject, []]))
  for (const subject of subjects) {
    await subject.sample(-1, concurrency, { seconds: WARM_UPS * SAMPLE_SECONDS })
  }
  for (let round = 0; round < rounds; round++) {
    for (const subject of subjects) {
      samples.get(subject)!.push(await subject.sample(round, concurrency, extent))
    }
  }
  const base = samples.get(subjects[0]!)!
  return subjects.map((subject) => {
    const own = samples.get(subject)!
    return {
      name: subject.name,
      promise: subject.promise,
      concurrency,
      rate: median(own.map(({ rate }) => rate)),
      p50: median(own.map(({ p50 }) => p50)),
      p99: median(own.map(({ p99 }) => p99)),
      cpuUs: median(own.map(({ cpuUs = 0 }) => cpuUs)),
      busy: median(own.map(({ busy = 0 }) => busy)),
      loop: median(own.map(({ loop = 0 }) => loop)),
      heapMiB: median(own.map(({ heapMiB = 0 }) => heapMiB)),
      ratio: median(own.map(({ rate }, i) => rate / base[i]!.rate)),
      p50Ratio: median(own.map(({ p50 }, i) => p50 / base[i]!.p50)),
    }
  })
}

export function median(values: readonly number[]): number {
  return quantile(
    [...values].sort((a, b) => a - b),
    0.5,
  )
}

export function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? 0
}
