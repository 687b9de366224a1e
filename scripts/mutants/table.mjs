// What caught each mutant when it was tried last: the table in scripts/mutants/caught.md.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { MUTANTS } from './list.mjs'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const TABLE = join(ROOT, 'scripts/mutants/caught.md')

export const SURVIVED = 'SURVIVED'
export const OUT_OF_DATE = 'OUT OF DATE'
export const CONTROL_FAILED = 'CONTROL FAILED'
export const NOT_RUN = 'not run'
const NOT_CAUGHT = [SURVIVED, OUT_OF_DATE, CONTROL_FAILED, NOT_RUN]

export function isCaught(text) {
  return !NOT_CAUGHT.some((word) => text.startsWith(word))
}

/** By the name of the mutant. */
export function readTable() {
  const found = new Map()
  if (!existsSync(TABLE)) return found
  for (const line of readFileSync(TABLE, 'utf8').split('\n')) {
    const [, name, file, caught] = line.split(/(?<!\\)\|/).map((cell) => cell.trim())
    if (file?.startsWith('`') === true) found.set(plain(name), plain(caught))
  }
  return found
}

export function writeTable(results) {
  const lines = MUTANTS.map(({ name, file }) => {
    const caught = results.get(name) ?? NOT_RUN
    return `| ${escaped(name)} | \`${file}\` | ${escaped(caught)} |`
  })
  const text = [
    '# Mutants',
    '',
    'Mistakes that are easily made, each made in a copy of the sources, and what noticed it. Where it was the simulation, the',
    'broken promises are named as in [guarantees](../../docs/guarantees.md#each-promise-its-invariant-and-what-holds-it), and after how many',
    'histories.',
    '',
    `Written by \`npm run mutants -- --write\`: ${figures(results, MUTANTS)}.`,
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

export function figures(results, mutants) {
  const found = mutants.map(({ name }) => results.get(name) ?? NOT_RUN)
  const caught = found.filter(isCaught).length
  const notRun = found.filter((text) => text === NOT_RUN).length
  const rest = notRun === 0 ? '' : `, ${notRun} not run since they were changed`
  return `${found.length} mutants, ${caught} caught, ${found.length - caught - notRun} not caught${rest}`
}

/** A cell of the table, and what it stands for. */
function escaped(text) {
  return text.replaceAll(/[\\|*_<]/g, '\\$&')
}

function plain(cell) {
  return cell.replaceAll(/\\([\\|*_<])/g, '$1')
}
