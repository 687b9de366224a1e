import { execFileSync } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { cpus, release, totalmem } from 'node:os'
import { join } from 'node:path'
import type { Row } from './measure.ts'

/** Prints the rows as a table and keeps them with the machine, the versions and the settings. */
export async function report(
  name: string,
  rows: readonly Row[],
  settings: Readonly<Record<string, unknown>>,
): Promise<void> {
  console.log(
    ['concurrency', 'subject', 'promise', 'per second', 'p50 ms', 'p99 ms', 'x first'].join('\t'),
  )
  for (const row of rows) {
    console.log(
      [
        row.concurrency,
        row.name,
        row.promise,
        Math.round(row.rate),
        row.p50.toFixed(2),
        row.p99.toFixed(2),
        row.ratio.toFixed(2),
      ].join('\t'),
    )
  }
  const directory = join(process.cwd(), 'bench', 'results')
  await mkdir(directory, { recursive: true })
  const result = {
    name,
    command: 'npm run bench',
    commit: commit(),
    machine: machine(),
    settings,
    rows,
  }
  await writeFile(join(directory, `${name}.json`), `${JSON.stringify(result, null, 2)}\n`)
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
  }
}
