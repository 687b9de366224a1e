import type { Violation } from '../src/testing/history-checker/history.ts'
import type { SimulationResult } from './run-seed.ts'
import type { ShrunkPlan } from './shrink.ts'

const VIOLATIONS_SHOWN = 3
const RECORD_LENGTH_MAX = 600

/** A failed simulation, for people: what was violated, and by which calls. */
export function describeResult({ seed, settings, violations }: SimulationResult): string {
  return [`  seed ${seed} ${JSON.stringify(settings)}`, ...describeViolations(violations)].join(
    '\n',
  )
}

/** A line for each violation, and one for each call of it. */
export function describeViolations(violations: readonly Violation[]): readonly string[] {
  return violations
    .slice(0, VIOLATIONS_SHOWN)
    .flatMap(({ kind, text, records }) => [
      `    ${kind}: ${text}`,
      ...records.map((record) => `      ${JSON.stringify(record)}`.slice(0, RECORD_LENGTH_MAX)),
    ])
}

/** The steps that are left, with the command that runs them again. */
export function describePlan(plan: ShrunkPlan): string {
  const steps = plan.result.steps.map(
    ({ id, atMs, text }) =>
      `    ${Math.round(atMs).toString().padStart(7)} ms  ${id.padEnd(8)} ${text}`,
  )
  return [
    `  shrunk to ${steps.length} steps in ${plan.runs} runs:`,
    ...steps,
    describeResult(plan.result),
    `  replay: ${replayCommand(plan)}`,
  ].join('\n')
}

function replayCommand({ seed, given, luck, keep }: ShrunkPlan): string {
  const settings = Object.keys(given).length === 0 ? '' : ` --settings '${JSON.stringify(given)}'`
  const steps = [...keep].map(([id, atMs]) => `${id}@${atMs}`).join(',')
  const other = luck === 0 ? '' : ` --luck ${luck}`
  return `npm run simulate -- --seed ${seed}${settings}${other} --keep ${steps} --trace`
}
