// `npm run simulate -- --engine …`: programs on real engines. The options are in scripts/simulate.mjs.
import { parseArgs } from 'node:util'
import { generateProgram } from '../../simulator/programs/generate-program.ts'
import { describeProgram } from '../../simulator/programs/program.ts'
import { keepSteps, keptOf, shrinkProgram } from '../../simulator/programs/shrink-program.ts'
import { describeViolations } from '../../simulator/describe-result.ts'
import { ENGINES } from './engines.ts'
import { ProgramRunner, runAll, simulatedHost, type ProgramResult } from './run-programs.ts'

/** So many programs are worth a line: a run that is cut short has told what it found. */
const TOLD_EVERY = 250

const { values } = parseArgs({
  args: process.argv.slice(3),
  options: {
    compiled: { type: 'string', default: '' },
    engine: { type: 'string', default: '' },
    programs: { type: 'string', default: '1000' },
    seed: { type: 'string' },
    from: { type: 'string', default: '1' },
    faults: { type: 'string' },
    keep: { type: 'string' },
    lanes: { type: 'string', default: '4' },
    shrink: { type: 'string', default: '1' },
    repeat: { type: 'string', default: '1' },
    'until-failure': { type: 'boolean', default: false },
  },
})

const engine =
  ENGINES.find((name) => name === values.engine) ??
  (values.engine === 'simulation' ? values.engine : fail(`there is no --engine ${values.engine}`))
const faults = faultsOf(values.faults)
const startedAt = performance.now()
const totals = { programs: 0, acknowledged: 0, faults: 0, violations: 0, failed: 0 }
const failures = new Map<string, number[]>()

const runner =
  engine === 'simulation'
    ? simulatedHost
    : await ProgramRunner.start({
        engine,
        compiled: values.compiled,
        lanes: values.seed === undefined ? Number(values.lanes) : 1,
      })
try {
  if (values.seed === undefined) await runMany()
  else await runOne(Number(values.seed))
} finally {
  await runner.stop()
}

async function runMany(): Promise<void> {
  const from = Number(values.from)
  const seeds = Array.from({ length: Number(values.programs) }, (_, i) => from + i)
  for await (const result of runAll(runner, seeds, faults)) {
    count(result)
    if (totals.programs % TOLD_EVERY === 0) console.log(summary())
    if (values['until-failure'] && totals.failed > 0) break
  }
  for (const [kinds, found] of failures) {
    console.log(`${kinds} in ${found.length} programs: ${found.slice(0, 20).join(' ')}`)
  }
  for (const [seed] of [...failures.values()].slice(0, Number(values.shrink))) await shrink(seed!)
  summarize()
}

async function runOne(seed: number): Promise<void> {
  const whole = generateProgram(seed, faults === undefined ? {} : { faults })
  const kept = values.keep?.split(',').map(Number)
  const program = kept === undefined ? whole : keepSteps(whole, new Set(kept))
  console.log(describeProgram(program))
  for (let i = 0; i < Number(values.repeat); i++) {
    const result = await runner.run(program)
    count(result)
    if (result.violations.length > 0) break
  }
  summarize()
}

function count(result: ProgramResult): void {
  totals.programs++
  totals.acknowledged += result.acknowledged
  totals.faults += result.faults
  totals.violations += result.violations.length
  if (result.violations.length === 0) return
  totals.failed++
  const { seed } = result.program
  console.log([`  program ${seed}`, ...describeViolations(result.violations)].join('\n'))
  const kinds = kindsOf(result).join('+')
  failures.set(kinds, [...(failures.get(kinds) ?? []), seed])
}

/** Prints what is left of a program, and the command that runs exactly this again. */
async function shrink(seed: number): Promise<void> {
  console.log(`Shrinking program ${seed} …`)
  const whole = generateProgram(seed, faults === undefined ? {} : { faults })
  let last: ProgramResult | undefined
  let kinds: ReadonlySet<string> | undefined
  const fails = async (program: typeof whole): Promise<boolean> => {
    const result = await runner.run(program)
    const found = kindsOf(result)
    kinds ??= found.length > 0 ? new Set(found) : undefined
    if (!found.some((kind) => kinds?.has(kind))) return false
    last = result
    return true
  }
  const { program, runs } = await shrinkProgram(whole, fails)
  console.log(`  in ${runs} runs to:`)
  console.log(describeProgram(program))
  if (last !== undefined) console.log(describeViolations(last.violations).join('\n'))
  const drawn = faults === undefined ? '' : ` --faults ${faults}`
  const keep = keptOf(program, whole).join(',')
  console.log(
    `  replay: npm run simulate -- --engine ${engine} --seed ${seed}${drawn} --keep ${keep} --repeat 20`,
  )
}

function kindsOf({ violations }: ProgramResult): readonly string[] {
  return [...new Set(violations.map(({ kind }) => kind))].sort()
}

function summary(): string {
  const minutes = (performance.now() - startedAt) / 60_000
  return (
    `${totals.programs} programs on ${engine}, ${totals.acknowledged} acknowledged writes, ` +
    `${totals.faults} faults, ${totals.violations} violations in ${totals.failed} programs, ` +
    `${Math.round(totals.programs / minutes)} programs/min`
  )
}

function summarize(): void {
  console.log(summary())
  if (totals.failed > 0) process.exitCode = 1
}

function faultsOf(text: string | undefined): 'none' | 'some' | undefined {
  if (text === undefined || text === 'none' || text === 'some') return text
  return fail(`--faults must be none or some, got ${text}`)
}

function fail(message: string): never {
  throw new Error(message)
}
