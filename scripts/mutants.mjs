/*
 * Breaks the sources on purpose, one mistake at a time, in a copy, and shows what notices it:
 * `npm run mutants -- [options]`.
 *
 *   --only TEXT     mutants whose name contains this
 *   --seeds N       most simulated histories for each (default 2000)
 *   --workers K     threads of the simulation (default 2)
 *   --missing       those that the table in docs/mutants.md does not have as caught
 *   --write         writes what was found to that table, after each mutant; other rows stay
 *   --skip-control  does not try the unbroken copy first
 *
 * First the copy is tried as it is: what fails there could catch nothing. The exit code is 1 when that
 * fails, or when a mutant survived or is out of date: a survivor is a hole in the tests.
 */
import { execFile, execFileSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
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
    missing: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    'skip-control': { type: 'boolean', default: false },
  },
})

const ROOT = fileURLToPath(new URL('../', import.meta.url))
const COPIED = [
  'src',
  'test',
  'scripts',
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

/** Histories of the unbroken copy, for each of the settings. */
const CONTROL_SEEDS = 10

const TABLE = join(ROOT, 'docs/mutants.md')
const SURVIVED = 'SURVIVED'
const OUT_OF_DATE = 'OUT OF DATE'
const NOT_RUN = 'not run'
const isCaught = (text) => ![SURVIVED, OUT_OF_DATE, NOT_RUN].includes(text)

const results = readTable()
const chosen = MUTANTS.filter(
  ({ name }) =>
    name.includes(values.only) && !(values.missing && isCaught(results.get(name) ?? NOT_RUN)),
)
const broken = values['skip-control'] ? undefined : await control()
if (broken !== undefined) {
  console.error(`the unbroken copy is caught, too: ${broken}`)
  process.exit(1)
}
for (const mutant of chosen) {
  const caught = (await tryMutant(mutant)) ?? SURVIVED
  results.set(mutant.name, caught)
  console.log(`${mutant.name.padEnd(82)} ${caught}`)
  if (values.write) writeTable()
}
console.log(figures(chosen))
if (chosen.some(({ name }) => !isCaught(results.get(name)))) process.exitCode = 1

function figures(mutants) {
  const found = mutants.map(({ name }) => results.get(name) ?? NOT_RUN)
  const caught = found.filter(isCaught).length
  const notRun = found.filter((text) => text === NOT_RUN).length
  const rest = notRun === 0 ? '' : `, ${notRun} not run since they were changed`
  return `${found.length} mutants, ${caught} caught, ${found.length - caught - notRun} survived${rest}`
}

/** What fails without a mutant. */
async function control() {
  const tests = [...new Set(chosen.flatMap(({ tests = [] }) => tests))]
  const caught = tests.length === 0 ? undefined : await runTests(tests)
  if (caught !== undefined) return caught
  const texts = chosen.flatMap(({ simulate }) => (simulate ? [JSON.stringify(simulate)] : []))
  for (const text of new Set(texts)) {
    const kinds = await runSimulation(JSON.parse(text), CONTROL_SEEDS)
    if (kinds !== undefined) return `${kinds} with ${text}`
  }
  return undefined
}

/** What caught each mutant when it was tried last. */
function readTable() {
  const found = new Map()
  if (!existsSync(TABLE)) return found
  for (const line of readFileSync(TABLE, 'utf8').split('\n')) {
    const [, name, file, caught] = line.split(/(?<!\\)\|/).map((cell) => cell.trim())
    if (file?.startsWith('`') === true) found.set(plain(name), plain(caught))
  }
  return found
}

function writeTable() {
  const lines = MUTANTS.map(({ name, file }) => {
    const caught = results.get(name) ?? NOT_RUN
    return `| ${escaped(name)} | \`${file}\` | ${escaped(caught)} |`
  })
  const text = [
    '# Mutants',
    '',
    'Mistakes that are easily made, each made in a copy of the sources, and what noticed it. Where it was the simulation, the',
    'broken promises are named as in [guarantees](guarantees.md#each-promise-its-invariant-and-what-holds-it), and after how many',
    'histories.',
    '',
    `Written by \`npm run mutants -- --write\`: ${figures(MUTANTS)}.`,
    '',
    '| mistake | in | caught by |',
    '| --- | --- | --- |',
    ...lines,
    '',
  ].join('\n')
  writeFileSync(TABLE, text)
  const prettier = join(ROOT, 'node_modules/prettier/bin/prettier.cjs')
  execFileSync(process.execPath, [prettier, '--write', '--log-level', 'warn', TABLE])
}

/** A cell of the table, and what it stands for. */
function escaped(text) {
  return text.replaceAll(/[\\|*_<]/g, '\\$&')
}

function plain(cell) {
  return cell.replaceAll(/\\([\\|*_<])/g, '$1')
}

/** What caught it; undefined when nothing did. */
async function tryMutant({ file, edits, simulate, tests }) {
  const path = join(copy, file)
  const original = readFileSync(path, 'utf8')
  const text = mutated(original, edits)
  if (text === undefined) return OUT_OF_DATE
  writeFileSync(path, text)
  try {
    return simulate === undefined ? await runTests(tests) : await runSimulation(simulate)
  } finally {
    writeFileSync(path, original)
  }
}

/** Undefined when a text is not there once. */
function mutated(source, edits) {
  let text = source
  for (const [find, replace] of edits) {
    if (text.split(find).length !== 2) {
      console.error(`not there once: ${find}`)
      return undefined
    }
    text = text.replace(find, () => replace)
  }
  return text
}

async function runSimulation(settings, count = Number(values.seeds)) {
  const compiled = compileSources(copy, { lenient: true })
  const next = new SharedArrayBuffer(4)
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
