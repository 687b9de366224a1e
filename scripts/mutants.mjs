/*
 * Breaks the sources on purpose, one mistake at a time, in a copy, and shows what notices it:
 * `npm run mutants -- [options]`.
 *
 *   --only TEXT     mutants whose name contains this
 *   --seeds N       most simulated histories for each (default 2000)
 *   --minutes N     most time for each, and for each control (default 10)
 *   --workers K     threads of the simulation (default 2)
 *   --missing       those that the table in docs/mutants.md does not have as caught
 *   --write         writes what was found to that table, after each mutant; other rows stay
 *   --skip-control  does not try the unbroken copy first
 *
 * Before a mutant the unbroken copy is tried in the same way, once for all that are caught alike: what
 * fails there could catch nothing. The exit code is 1 when a control failed, or when a mutant survived
 * or is out of date: a survivor is a hole in the tests.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { compileSources } from './compile-sources.mjs'
import { MUTANTS } from './mutants/list.mjs'
import * as table from './mutants/table.mjs'
import { runPrograms, runSimulation, runTests } from './mutants/trial.mjs'

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    seeds: { type: 'string', default: '2000' },
    minutes: { type: 'string', default: '10' },
    workers: { type: 'string', default: '2' },
    missing: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    'skip-control': { type: 'boolean', default: false },
  },
})

const ROOT = fileURLToPath(new URL('../', import.meta.url))
const COPIED = [
  'src',
  'simulator',
  'test',
  'scripts',
  'package.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'tsconfig.simulator.json',
  'vitest.config.ts',
]
/** Histories of the unbroken copy, for each of the settings. */
const CONTROL_SEEDS = 10
const LIMIT_MS = Number(values.minutes) * 60_000

const copy = mkdtempSync(join(tmpdir(), 'everthread-mutants-'))
process.once('exit', () => rmSync(copy, { recursive: true, force: true }))
for (const name of COPIED) {
  const filter = (path) => basename(path) !== 'node_modules'
  cpSync(join(ROOT, name), join(copy, name), { recursive: true, filter })
}
symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'))

/** What failed in the unbroken copy, by the way of trying it. */
const controls = new Map()
let unbroken
const results = table.readTable()
const chosen = MUTANTS.filter(
  ({ name }) =>
    name.includes(values.only) &&
    !(values.missing && table.isCaught(results.get(name) ?? table.NOT_RUN)),
)
for (const mutant of chosen) {
  const result = await tryMutant(mutant)
  results.set(mutant.name, result)
  console.log(`${mutant.name.padEnd(82)} ${result}`)
  if (values.write) table.writeTable(results)
}
console.log(table.figures(results, chosen))
if (chosen.some(({ name }) => !table.isCaught(results.get(name)))) process.exitCode = 1

/** What caught it, or why nothing did. */
async function tryMutant(mutant) {
  const path = join(copy, mutant.file)
  const original = readFileSync(path, 'utf8')
  const text = mutated(original, mutant.edits)
  if (text === undefined) return table.OUT_OF_DATE
  const failed = values['skip-control'] ? undefined : await control(mutant)
  if (failed !== undefined) return `${table.CONTROL_FAILED}: ${failed}`
  writeFileSync(path, text)
  try {
    const compiled = () => compileSources(copy, { lenient: true })
    const { caught, rest } = await trial(mutant, compiled, Number(values.seeds))
    return caught ?? `${table.SURVIVED}: ${rest}`
  } finally {
    writeFileSync(path, original)
  }
}

async function control(mutant) {
  const way = JSON.stringify(mutant.simulate ?? mutant.programs ?? mutant.tests)
  if (!controls.has(way)) {
    const compiled = () => (unbroken ??= compileSources(copy))
    controls.set(way, (await trial(mutant, compiled, CONTROL_SEEDS)).caught)
  }
  return controls.get(way)
}

async function trial({ simulate: settings, programs, tests }, compiled, count) {
  const limitMs = LIMIT_MS
  if (programs !== undefined) return await runPrograms(copy, { programs, count, limitMs })
  if (settings === undefined) return await runTests(copy, { tests, limitMs })
  const workers = Number(values.workers)
  return await runSimulation(compiled(), { settings, count, workers, limitMs })
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
