/*
 * What saves at full speed do to the application beside them: delay of the event loop, memory, how
 * far the backup lags; and one conversation that everybody writes to. `SECONDS=600` for goal 18.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { ChatHistory } from '../src/index.ts'
import { startPostgres } from '../test/support/postgres-server.ts'
import { explained, percent, type Goal } from './support/goal.ts'
import { compare, SAMPLE_SECONDS, median, type Measured, type Row } from './support/measure.ts'
import { BODY } from './support/messages.ts'
import { inOwnProcess } from './support/own-process.ts'
import { rawInserts } from './support/raw-postgres.ts'
import { report } from './support/report.ts'
import { storeOnPostgres } from './support/store-on-postgres.ts'
import type * as saves from './subjects/saves.ts'

const SECONDS = Number(process.env['SECONDS'] ?? 60)
const ROUNDS = Number(process.env['ROUNDS'] ?? 7)
const RAW_SECONDS = Math.min(SECONDS, 20)
const CONCURRENCY = 64
const CONVERSATIONS = 100
const SAMPLE_MS = 20
/** Of the histogram: an idle loop is recorded with this delay. */
const RESOLUTION_MS = 1
const SUBJECTS = new URL('./subjects/saves.js', import.meta.url)

const server = await startPostgres()
const scratch = await mkdtemp(join(tmpdir(), 'everthread-bench-'))

interface Watched {
  readonly loopP99Ms: number
  readonly lagP99Ms: number
  readonly heapMiB: readonly number[]
  readonly saves: number
}

/** Runs `once` at full speed until then; returns the 99th percentile of the event loop's delay. */
async function loopDelay(untilMs: number, once: (i: number) => Promise<unknown>): Promise<number> {
  const loop = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  let next = 0
  loop.enable()
  const worker = async (): Promise<void> => {
    while (performance.now() < untilMs) await once(next++)
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, worker))
  loop.disable()
  return Math.max(0, loop.percentile(99) / 1e6 - RESOLUTION_MS)
}

/** The same of the driver alone: what sharing the cores with the server costs anyway. */
async function rawLoopDelay(): Promise<number> {
  const raw = await rawInserts(server.url, { name: 'raw_loop' })
  const delay = await loopDelay(performance.now() + RAW_SECONDS * 1_000, (i) => raw.run(0, i))
  await raw.close()
  return delay
}

/** Saves for the given time, and looks at the process meanwhile. */
async function watch(history: ChatHistory): Promise<Watched> {
  const lags: number[] = []
  const heapMiB: number[] = []
  const until = performance.now() + SECONDS * 1_000
  let saves = 0
  const sampler = setInterval(() => lags.push(history.status().places.backup.lagMs), SAMPLE_MS)
  // After a collection, so that it is what is kept and not what has yet to be collected.
  const heap = setInterval(() => heapMiB.push(heapAfterCollection()), 5_000)
  const loopP99Ms = await loopDelay(until, async (i) => {
    await history.saveMessage(`c${i % CONVERSATIONS}`, BODY)
    saves++
  })
  clearInterval(sampler)
  clearInterval(heap)
  heapMiB.push(heapAfterCollection())
  lags.sort((a, b) => a - b)
  return {
    loopP99Ms,
    lagP99Ms: lags[Math.floor(lags.length * 0.99)] ?? 0,
    heapMiB,
    saves,
  }
}

function heapAfterCollection(): number {
  globalThis.gc?.()
  return process.memoryUsage().heapUsed / 2 ** 20
}

/** What is kept at the end as a multiple of what was kept after the first quarter. */
function growth(heapMiB: readonly number[]): number {
  const quarter = Math.max(1, heapMiB.length >> 2)
  return median(heapMiB.slice(-quarter)) / median(heapMiB.slice(quarter, 2 * quarter))
}

/** A save that fails ends it, so whoever gets an answer had no errors. */
async function hotConversation(): Promise<Row> {
  const target = { url: server.url, directory: scratch, conversations: 1, write: 'idempotent' }
  const subjects: Measured[] = []
  try {
    for (const factory of ['rawInserts', 'everthread'] satisfies (keyof typeof saves)[]) {
      subjects.push(...(await inOwnProcess(SUBJECTS, factory, target)))
    }
    return (await compare(subjects, CONCURRENCY, ROUNDS))[1]!
  } finally {
    for (const subject of subjects) await subject.close()
  }
}

try {
  const hot = await hotConversation()
  const history = await storeOnPostgres(server.url, scratch, 'loop')
  const rawLoopP99Ms = await rawLoopDelay()
  const { loopP99Ms, lagP99Ms, heapMiB, saves } = await watch(history)
  const heapGrowth = heapMiB.length < 4 ? 1 : growth(heapMiB)
  const at = `at ${CONCURRENCY} concurrent, flush running`
  const goals: Goal[] = [
    {
      number: 14,
      measure: `lag of the backup ${at}, p99`,
      atMost: 250,
      unit: 'ms',
      value: lagP99Ms,
    },
    explained(
      {
        number: 17,
        measure: `event loop delay ${at}, p99`,
        atMost: 3,
        unit: 'ms',
        value: loopP99Ms,
      },
      `with raw inserts of the driver in the same process it is ${rawLoopP99Ms.toFixed(1)} ms`,
    ),
    {
      number: 18,
      measure: `heap at the end / in the second quarter of ${SECONDS} s`,
      atMost: 1.1,
      value: heapGrowth,
    },
    { number: 19, measure: 'one hot conversation: errors', atMost: 0, value: 0 },
    explained(
      { number: 19, measure: 'one hot conversation / raw inserts', atLeast: 2, value: hot.ratio },
      `bound as saves to many conversations are (goal 1): the event loop is ${percent(hot.loop)} busy, ` +
        `${Math.round(hot.cpuUs ?? 0)} µs of this process a save`,
    ),
  ]
  await report('loop', {
    figures: {
      loopP99Ms,
      rawLoopP99Ms,
      lagP99Ms,
      savesPerSecond: saves / SECONDS,
      heapMiB: heapMiB.at(-1) ?? 0,
    },
    goals,
    settings: {
      seconds: SECONDS,
      concurrency: CONCURRENCY,
      rounds: ROUNDS,
      sampleSeconds: SAMPLE_SECONDS,
    },
  })
  await history.close()
} finally {
  await server.stop()
  await rm(scratch, { recursive: true, force: true })
}
