// Goal: ordinary programs, on healthy databases and on others, are told the truth by real engines.
// Method: a seed makes a program of a few steps for two or three processes: saves, repeats, edits, removals,
// clears, reads, closing neighbours; half of them with kills, cuts and outages. The checker of histories
// knows nothing of places. More of them: `npm run simulate -- --engine sqlite --programs 1000`.
import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { describeProgram } from '../../simulator/programs/program.ts'
import { describeViolations } from '../../simulator/describe-result.ts'
import { describeServers } from '../fault/support/describe-servers.ts'
import { describeRedis } from '../support/redis-server.ts'
import type { EngineName } from './engines.ts'
import { ProgramRunner, runAll, simulatedHost, type ProgramHost } from './run-programs.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** Modules by themselves, as `npm run simulate` runs them: the package has bundles. */
let compiled: string

beforeAll(async () => {
  const script = new URL('../../scripts/compile-sources.mjs', import.meta.url).href
  const { compileSources } = (await import(script)) as { compileSources(root: string): string }
  compiled = compileSources(ROOT)
})
afterAll(() => {
  rmSync(compiled, { recursive: true, force: true })
})

/** What the programs of these seeds violated, each with its steps. */
async function violationsOf(
  host: ProgramHost,
  count: number,
  faults: 'none' | 'some',
): Promise<readonly string[]> {
  const bad: string[] = []
  let acknowledged = 0
  const seeds = Array.from({ length: count }, (_, i) => i + 1)
  for await (const result of runAll(host, seeds, faults)) {
    acknowledged += result.acknowledged
    if (result.violations.length === 0) continue
    const lines = [describeProgram(result.program), ...describeViolations(result.violations)]
    bad.push(lines.join('\n'))
  }
  // They were worth something.
  expect(acknowledged).toBeGreaterThan(count)
  return bad
}

function promises(engine: EngineName, count: number): void {
  let runner: ProgramRunner
  beforeAll(async () => {
    runner = await ProgramRunner.start({ engine, compiled, lanes: 4 })
  })
  afterAll(async () => {
    await runner?.stop()
  })
  test.each(['none', 'some'] as const)(
    'keep every promise with faults: %s',
    async (faults) => {
      expect(await violationsOf(runner, count / 2, faults)).toEqual([])
    },
    600_000,
  )
}

describe('programs on SQLite', () => {
  promises('sqlite', 30)
})

describeServers('programs on PostgreSQL', () => {
  promises('postgres', 16)
})

describeRedis('programs on Redis', () => {
  promises('redis', 12)
})

describe('programs on the simulation', () => {
  test.each(['none', 'some'] as const)(
    'keep every promise with faults: %s',
    async (faults) => {
      expect(await violationsOf(simulatedHost, 24, faults)).toEqual([])
    },
    600_000,
  )
})
