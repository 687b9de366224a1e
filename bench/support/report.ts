import { execFileSync } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { cpus, loadavg, release, totalmem } from 'node:os'
import { join } from 'node:path'
import { percent, printGoals, type Goal } from './goal.ts'
import type { Row } from './measure.ts'

/** What one benchmark found. */
export interface Findings {
  /** Subjects that were compared, where it compares some. */
  readonly rows?: readonly Row[]
  /** Other figures, by name, each with its unit in the name: `longestSaveMs`. */
  readonly figures?: Readonly<Record<string, number>>
  readonly goals?: readonly Goal[]
  /** Rounds, counts and whatever else a repetition needs. */
  readonly settings: Readonly<Record<string, unknown>>
}

/** Prints what was found and keeps it with the machine, the versions and the settings. */
export async function report(name: string, findings: Findings): Promise<void> {
  const { rows = [], figures = {}, goals = [] } = findings
  if (rows.length > 0) printRows(rows)
  for (const [figure, value] of Object.entries(figures)) {
    console.log(`${figure}\t${Number.isInteger(value) ? value : value.toFixed(2)}`)
  }
  printGoals(goals)
  const directory = join(process.cwd(), 'bench', 'results')
  await mkdir(directory, { recursive: true })
  const result = {
    name,
    command: `npm run bench ${name}`,
    commit: commit(),
    at: new Date().toISOString(),
    machine: machine(),
    ...findings,
  }
  await writeFile(join(directory, `${name}.json`), `${JSON.stringify(result, null, 2)}\n`)
}

function printRows(rows: readonly Row[]): void {
  console.log(
    [
      'concurrency',
      'subject',
      'promise',
      'per second',
      'p50 ms',
      'p99 ms',
      'CPU us',
      'busy',
      'heap MiB',
      'x first',
    ].join('\t'),
  )
  for (const row of rows) {
    const { concurrency, name, promise, rate, p50, p99, cpuUs, busy, heapMiB, ratio } = row
    const cpu = cpuUs === undefined ? '' : Math.round(cpuUs)
    const cores = busy === undefined ? '' : percent(busy)
    const heap = heapMiB === undefined ? '' : heapMiB.toFixed(0)
    const figures = [Math.round(rate), p50.toFixed(2), p99.toFixed(2), cpu, cores, heap]
    console.log([concurrency, name, promise, ...figures, ratio.toFixed(2)].join('\t'))
  }
}

function commit(): string {
  return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim()
}

function machine(): object {
  return {
    cores: cpus().length,
    cpu: cpus()[0]?.model.trim(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    // Of the last minute, when the run ended: its own load included.
    load: loadavg()[0],
  }
}
