/*
 * Breaks the sources on purpose, one mistake at a time, in a copy, and shows what notices it:
 * `npm run mutants -- [options]`.
 *
 *   --only TEXT     mutants whose name contains this
 *   --seeds N       most simulated histories for each (default 2000)
 *   --workers K     threads of the simulation (default 2)
 *
 * The exit code is 1 when a mutant survived, or is out of date: a survivor is a hole in the tests.
 */
import { execFile } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import { compileSources } from './compile-sources.mjs'
import { MUTANTS } from './mutants/list.mjs'

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    seeds: { type: 'string', default: '2000' },
    workers: { type: 'string', default: '2' },
  },
})

const ROOT = fileURLToPath(new URL('../', import.meta.url))
const COPIED = [
  'src',
  'test',
  'package.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'vitest.config.ts',
]
/** A mutant may hang what it breaks. */
const SIMULATION_MS_MAX = 10 * 60_000
const TESTS_MS_MAX = 10 * 60_000

const copy = mkdtempSync(join(tmpdir(), 'everthread-mutants-'))
process.once('exit', () => rmSync(copy, { recursive: true, force: true }))
for (const name of COPIED) cpSync(join(ROOT, name), join(copy, name), { recursive: true })
symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'))

const chosen = MUTANTS.filter(({ name }) => name.includes(values.only))
let survivors = 0
for (const mutant of chosen) {
  const caught = await tryMutant(mutant)
  if (caught === undefined) survivors++
  console.log(`${mutant.name.padEnd(78)} ${caught ?? 'SURVIVED'}`)
}
console.log(`${chosen.length} mutants, ${chosen.length - survivors} caught, ${survivors} survived`)
if (survivors > 0) process.exitCode = 1

/** What caught it; undefined when nothing did. */
async function tryMutant({ file, edits, simulate, tests }) {
  const path = join(copy, file)
  const original = readFileSync(path, 'utf8')
  writeFileSync(path, mutated(original, edits))
  try {
    return simulate === undefined ? await runTests(tests) : await runSimulation(simulate)
  } finally {
    writeFileSync(path, original)
  }
}

function mutated(source, edits) {
  let text = source
  for (const [find, replace] of edits) {
    if (text.split(find).length !== 2) throw new Error(`out of date, not there once: ${find}`)
    text = text.replace(find, () => replace)
  }
  return text
}

async function runSimulation(settings) {
  const compiled = compileSources(copy, { lenient: true })
  const next = new SharedArrayBuffer(4)
  const count = Number(values.seeds)
  const data = { compiled, from: 1, count, settings, next }
  const caught = { seeds: 0, kinds: undefined, hangs: false }
  const workers = Array.from({ length: Number(values.workers) }, () => {
    const url = new URL('./simulate-worker.mjs', import.meta.url)
    return new Worker(url, { workerData: data })
  })
  const timer = setTimeout(() => {
    caught.hangs = true
    for (const worker of workers) void worker.terminate()
  }, SIMULATION_MS_MAX)
  await Promise.all(
    workers.map(async (worker) => {
      worker.on('message', ({ kinds }) => {
        if (caught.kinds === undefined) caught.seeds++
        if (kinds.length === 0) return
        caught.kinds ??= kinds
        Atomics.store(new Int32Array(next), 0, count)
      })
      await new Promise((resolve) => {
        worker.on('error', (error) => {
          caught.kinds ??= [`error: ${error.message}`]
          resolve()
        })
        worker.on('exit', resolve)
      })
    }),
  )
  clearTimeout(timer)
  if (caught.kinds !== undefined) return `${caught.kinds.join(', ')} after ${caught.seeds} seeds`
  return caught.hangs ? `hangs after ${caught.seeds} seeds` : undefined
}

/** The first test that fails. */
async function runTests(tests) {
  const vitest = join(copy, 'node_modules/vitest/vitest.mjs')
  const args = [vitest, 'run', '--reporter=json', '--bail=1', ...tests]
  try {
    await promisify(execFile)(process.execPath, args, {
      cwd: copy,
      timeout: TESTS_MS_MAX,
      maxBuffer: 2 ** 28,
    })
    return undefined
  } catch (error) {
    return `test: ${firstFailure(error.stdout)}`
  }
}

function firstFailure(stdout) {
  try {
    const { testResults } = JSON.parse(stdout.slice(stdout.indexOf('{')))
    const failed = testResults.flatMap(({ assertionResults }) => assertionResults)
    return failed.find(({ status }) => status === 'failed')?.title ?? 'a test file did not load'
  } catch {
    return 'ended without a report'
  }
}
