import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { basename, extname } from 'node:path'
import type { Command } from 'commander'
import { secretsOf } from '../../core/redact.ts'
import type { CliContext } from '../cli-context.ts'
import type { Finding } from '../doctor/finding.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { addExamples, addParagraph } from '../help/examples.ts'
import { FROM_ENVIRONMENT, jsonText, moduleText, type ConfigValues } from '../init/config-text.ts'
import { planConfig, type ConfigPlan } from '../init/plan-config.ts'
import { writeNewFile } from '../init/write-new-file.ts'
import { CONFIG_FILES } from '../settings/load-config.ts'
import { readEnvironment } from '../settings/read-environment.ts'
import type { GivenSettings } from '../settings/resolve-settings.ts'
import { ENVIRONMENT, SETTING_NAMES } from '../settings/settings.ts'
import { addSettingOptions } from '../store-options.ts'
import { UsageError } from '../usage-error.ts'
import { canAsk, PromptEnded } from './prompt.ts'

interface InitFlags extends GivenSettings {
  readonly output?: string
  readonly yes?: boolean
  readonly check: boolean
  readonly json?: boolean
}

const DEFAULT_OUTPUT = 'everthread.config.mjs'

/** `everthread init` */
export function addInitCommand(program: Command, cli: CliContext): void {
  const command = program
    .command('init')
    .description('Write a configuration file, after its servers have been tried.')
    .option('--output <file>', `what to write: .mjs or .json (default: ${DEFAULT_OUTPUT})`)
    .option('--yes', 'ask nothing: what is not given is the default')
    .option('--no-check', 'write it without trying the servers')
    .option('--json', 'print data as JSON, and ask nothing')
  addParagraph(
    command,
    'Asks on a terminal for what is not given. A file that is there is never overwritten, and ' +
      'passwords stay out of it: what an environment variable has is read from there each time.',
  )
  addExamples(command, [
    'everthread init',
    'everthread init --yes --primary postgresql://app@db/chat --wal file:/var/lib/chat/wal',
    'EVERTHREAD_PRIMARY_URL=postgresql://app:secret@db/chat everthread init --yes',
  ])
  addSettingOptions(command).action(async (flags: InitFlags) => {
    cli.exitCode = await runInit(cli, flags)
  })
}

async function runInit(cli: CliContext, flags: InitFlags): Promise<ExitCode> {
  const { terminal } = cli
  const output = flags.output ?? DEFAULT_OUTPUT
  refuseOutput(cli, flags)
  let plan: ConfigPlan
  try {
    plan = await planOf(cli, flags)
  } catch (error) {
    if (!(error instanceof PromptEnded)) throw error
    terminal.note('\nNothing was written.')
    return EXIT.interrupted
  }
  const { values } = plan
  refuseVariablesInJson(output, values)
  const findings = flags.check ? await check(cli, plan, flags) : []
  if (findings.some(({ level }) => level === 'error')) {
    terminal.note('Nothing was written. Mend it, or write it all the same with --no-check.', 'red')
    return findings.some(({ code }) => code === 'unreachable') ? EXIT.unavailable : EXIT.partial
  }
  const text = extname(output) === '.json' ? jsonText(values) : moduleText(values)
  if (!(await writeNewFile(cli.path(output), text))) refuseOverwriting(output)
  if (flags.json !== true) await tell(cli, output, plan)
  else {
    const variables = variablesOf(values).map((name) => ENVIRONMENT[name])
    await terminal.writeJson({ file: output, variables, findings })
  }
  return EXIT.ok
}

/** Two configuration files in one folder would leave open which one counts. */
function refuseOutput(cli: CliContext, { output }: InitFlags): void {
  if (output !== undefined && !['.mjs', '.json'].includes(extname(output))) {
    throw new UsageError(`--output must end in .mjs or .json, got ${output}`)
  }
  for (const name of output === undefined ? CONFIG_FILES : [output]) {
    if (existsSync(cli.path(name))) refuseOverwriting(name)
  }
}

function refuseOverwriting(name: string): never {
  throw new UsageError(
    `${name} is there already and stays as it is: change it, or give another file by --output`,
  )
}

async function planOf(cli: CliContext, flags: InitFlags): Promise<ConfigPlan> {
  const environment = await readEnvironment(cli.io.variables, (path) =>
    readFile(cli.path(path), 'utf8'),
  )
  const given: GivenSettings = {}
  for (const name of SETTING_NAMES) if (flags[name] !== undefined) given[name] = flags[name]
  // Mistakes are told before anything is asked.
  await checked(cli, planConfig({}, environment, given))
  if (flags.yes === true || flags.json === true || !canAsk(cli)) {
    return planConfig({}, environment, given)
  }
  const { askSettings } = await import('../init/ask-settings.ts')
  const answers = await askSettings(cli, { ...environment, ...given })
  const plan = planConfig(answers, environment, given)
  await checked(cli, plan)
  return plan
}

async function checked({ terminal }: CliContext, plan: ConfigPlan): Promise<void> {
  terminal.hide(secretsOf(plan.settings))
  // Loaded late: `--help` and mistakes need no store.
  const { checkSettings } = await import('../settings/setting-options.ts')
  checkSettings(plan.settings, plan.sources)
}

function refuseVariablesInJson(output: string, values: ConfigValues): void {
  const [name] = variablesOf(values)
  if (extname(output) !== '.json' || name === undefined) return
  throw new UsageError(
    `${name} belongs in the environment, which JSON cannot say: give --output a name that ends in .mjs`,
  )
}

function variablesOf(values: ConfigValues): (typeof SETTING_NAMES)[number][] {
  return SETTING_NAMES.filter((name) => values[name] === FROM_ENVIRONMENT)
}

/** Tries the real servers and prints what is found; with `json` only what stands in the way. */
async function check(
  { terminal }: CliContext,
  { settings }: ConfigPlan,
  { json = false }: InitFlags,
): Promise<readonly Finding[]> {
  const { examine } = await import('../doctor/examine.ts')
  const { findingLines } = await import('../doctor/finding-lines.ts')
  const findings = await examine(settings)
  const isWrong = findings.some(({ level }) => level === 'error')
  if (json && isWrong) await terminal.writeJson({ findings })
  if (json) return findings
  for (const line of [...findingLines(findings, terminal), '']) await terminal.writeLine(line)
  return findings
}

async function tell(
  { terminal }: CliContext,
  output: string,
  { values, sources }: ConfigPlan,
): Promise<void> {
  await terminal.writeLine(terminal.colour('green', `Wrote ${output}.`))
  for (const name of variablesOf(values)) {
    const isSet = sources.environment[name] !== undefined
    await terminal.writeLine(
      `It reads ${name} from ${ENVIRONMENT[name]}${isSet ? '' : ', which is not set yet'}: ` +
        'set it for each program.',
    )
  }
  if (extname(output) === '.mjs') {
    const module = `'./${basename(output)}'`
    await terminal.writeLine(`In a program: import settings from ${module}`)
  }
}
