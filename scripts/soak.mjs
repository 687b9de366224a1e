/*
 * Three processes and real servers while everything fails in turn: `npm run soak -- [options]`.
 *
 *   --minutes N     how long (default 10), for all layouts together
 *   --seed S        the order of the faults (default: at random; it is printed)
 *   --layout TEXT   only layouts whose name contains this: `one shared log`, `a log in files for each`
 *
 * Prints for each layout the calls, acknowledged writes, faults and violations. Servers are private
 * children of the test. As root it also fills the disk of the log, on a mount of its own; where there is
 * strace it lets system calls on the log fail. What is left out is printed, and with REQUIRE_FAULTS=1 a
 * failure. A seed repeats the order of the faults on a machine that can inject the same ones.
 */
import { parseArgs } from 'node:util'
import { runVitest, summary } from './run-vitest.mjs'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string' },
    layout: { type: 'string', default: '' },
  },
})
process.env.MINUTES = values.minutes
process.env.LAYOUT = values.layout
if (values.seed !== undefined) process.env.SEED = values.seed

const { counts, ok } = await runVitest({ args: ['test/fault/three-processes.test.ts'] })
console.log(summary(counts))
if (!ok || counts.failed > 0) process.exitCode = 1
