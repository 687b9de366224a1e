/*
 * Runs the store through simulated outages: `npm run simulate -- [options]`.
 *
 *   --seeds N          how many histories (default 1000)
 *   --from M           the first seed (default 1)
 *   --workers K        threads (default 2)
 *   --settings JSON    fields of SimulationSettings, instead of what the seeds draw
 *   --shrink K         failing seeds, of different kinds first, to shrink to a short plan (default 1)
 *   --until-failure    stops at the first failing seed
 *   --seed N           one history, in this thread
 *   --keep STEPS       with --seed: takes these steps at these times only, as a failure prints them
 *   --luck N           with --seed: other latencies for the same steps
 *   --trace            with --seed: prints every event
 *
 * With an engine, programs run on real databases and processes of this machine instead:
 *
 *   --engine NAME      `sqlite`, `postgres` or `redis`; `simulation`: the same programs simulated
 *   --programs N       how many programs (default 1000), half of them without faults
 *   --faults KIND      `none` or `some`, instead of half and half
 *   --from M           the seed of the first program (default 1)
 *   --lanes K          programs at the same time (default 4)
 *   --shrink K         failing programs, of different kinds first, to shrink (default 1)
 *   --until-failure    stops at the first failing program
 *   --seed S           one program; with --keep only these of its steps, as a failure prints them
 *   --repeat N         with --seed: runs it until it fails, at most so often (default 1)
 *
 * The last line has the figures, and lines on the way those so far. The exit code is 1 when a promise was violated.
 */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'
import { compileSources } from './compile-sources.mjs'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: '1' },
    workers: { type: 'string', default: '2' },
    settings: { type: 'string', default: '{}' },
    shrink: { type: 'string', default: '1' },
    'until-failure': { type: 'boolean', default: false },
    seed: { type: 'string' },
    keep: { type: 'string' },
    luck: { type: 'string', default: '0' },
    trace: { type: 'boolean', default: false },
    engine: { type: 'string' },
    programs: { type: 'string' },
    faults: { type: 'string' },
    lanes: { type: 'string' },
    repeat: { type: 'string' },
  },
})

/** So many seeds are worth a line. */
const TOLD_EVERY = 1_000
const settings = JSON.parse(values.settings)
const compiled = compileSources(fileURLToPath(new URL('../', import.meta.url)))
const load = async (name) => await import(`${compiled}/simulator/${name}.js`)

if (values.engine !== undefined) await runPrograms()
else if (values.seed === undefined) await runMany()
else await runOne(Number(values.seed))

/** In a process of its own, which can read the sources of the tests. */
async function runPrograms() {
  const path = (name) => fileURLToPath(new URL(`../test/${name}`, import.meta.url))
  const files = [path('support/run-typescript.mjs'), path('programs/main.ts')]
  const args = [...files, '--compiled', compiled, ...process.argv.slice(2)]
  const child = spawn(process.execPath, args, { stdio: 'inherit' })
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal))
  process.exitCode = await new Promise((resolve) => {
    child.on('close', (code) => resolve(code ?? 1))
  })
}

async function runOne(seed) {
  const { runSeed } = await load('run-seed')
  const { describeResult } = await load('describe-result')
  const result = await runSeed(seed, settings, {
    luck: Number(values.luck),
    ...(values.keep !== undefined && { keep: stepsOf(values.keep) }),
    ...(values.trace && { tracer: print }),
  })
  console.log(describeResult(result))
  console.log(summary({ seeds: 1, failed: result.violations.length > 0 ? 1 : 0, ...result }))
  if (result.violations.length > 0) process.exitCode = 1
}

/** `p0c1.3@1200,f2@1500`: the steps and their times in milliseconds. */
function stepsOf(text) {
  return new Map(
    text.split(',').map((step) => {
      const [id, atMs] = step.split('@')
      return [id, Number(atMs)]
    }),
  )
}

async function runMany() {
  const startedAt = performance.now()
  const totals = { seeds: 0, failed: 0, acknowledged: 0, singleCopies: 0, faults: 0, events: 0 }
  const slowest = { settledAfterMs: 0 }
  const failures = new Map()
  const next = new SharedArrayBuffer(4)
  const count = Number(values.seeds)
  const data = { compiled, from: Number(values.from), count, settings, next }

  const tell = () => {
    const perMinute = totals.seeds / ((performance.now() - startedAt) / 60_000)
    console.log(`${summary({ ...totals, ...slowest })}, ${Math.round(perMinute)} seeds/min`)
  }
  const stop = () => Atomics.store(new Int32Array(next), 0, count)
  const onSeed = (result) => {
    totals.seeds++
    for (const name of ['acknowledged', 'singleCopies', 'faults', 'events']) {
      totals[name] += result[name]
    }
    slowest.settledAfterMs = Math.max(slowest.settledAfterMs, result.settledAfterMs ?? Infinity)
    if (totals.seeds % TOLD_EVERY === 0) tell()
    if (result.report === undefined) return
    totals.failed++
    console.log(result.report)
    const kind = result.kinds.join('+')
    failures.set(kind, [...(failures.get(kind) ?? []), result.seed])
    if (values['until-failure']) stop()
  }
  await Promise.all(Array.from({ length: Number(values.workers) }, () => thread(data, onSeed)))

  for (const [kind, seeds] of failures) {
    console.log(`${kind} in ${seeds.length} seeds: ${seeds.slice(0, 20).join(' ')}`)
  }
  await shrinkSome([...failures.values()].map(([seed]) => seed))
  tell()
  if (totals.failed > 0) process.exitCode = 1
}

async function thread(workerData, onSeed) {
  const worker = new Worker(new URL('./simulate-worker.mjs', import.meta.url), { workerData })
  worker.on('message', onSeed)
  await new Promise((resolve, reject) => {
    worker.on('error', reject)
    worker.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`exit code ${code}`))))
  })
}

async function shrinkSome(seeds) {
  const { shrinkSeed } = await load('shrink')
  const { describePlan } = await load('describe-result')
  for (const seed of seeds.slice(0, Number(values.shrink))) {
    console.log(`Shrinking seed ${seed} …`)
    const plan = await shrinkSeed(seed, settings)
    if (plan !== undefined) console.log(describePlan(plan))
  }
}

function summary({ seeds, failed, acknowledged, singleCopies, faults, events, settledAfterMs }) {
  return (
    `${seeds} seeds, ${acknowledged} acknowledged writes (${singleCopies} with one copy), ` +
    `${faults} faults, ${events} events, slowest convergence ${Math.round(settledAfterMs)} ms, ` +
    `${failed} with violations`
  )
}

function print(atMs, who, what, detail) {
  const text = detail instanceof Error ? detail.message : JSON.stringify(detail)
  console.log(`${atMs.toFixed(1).padStart(9)} ${who.padEnd(14)} ${what} ${text ?? ''}`)
}
