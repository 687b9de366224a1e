import { Option, type Command } from 'commander'
import { DATABASE_PLACES, type DatabasePlace } from '../../core/places.ts'
import type { CliContext } from '../cli-context.ts'
import type { ExitCode } from '../exit-codes.ts'
import { addExamples } from '../help/examples.ts'
import { UsageError } from '../usage-error.ts'
import { addPassOptions, runPass, runVerify, type PassFlags } from './pass-command.ts'

interface RestoreFlags extends PassFlags {
  readonly from: DatabasePlace
  readonly to: DatabasePlace
}

/** `everthread restore` */
export function addRestoreCommand(program: Command, cli: CliContext): void {
  const command = program
    .command('restore')
    .description('Give one database what the other has; beside a running service.')
    .addOption(place('--from <place>', 'the database that has it').makeOptionMandatory())
    .addOption(place('--to <place>', 'the database that gets it').makeOptionMandatory())
    .option('--dry-run', 'tell what is missing and change nothing')
  addExamples(command, [
    'everthread restore --from backup --to primary --dry-run',
    'everthread restore --from backup --to primary',
  ])
  addPassOptions(command).action(async (flags: RestoreFlags) => {
    cli.exitCode = await run(cli, flags)
  })
}

function place(flags: string, description: string): Option {
  return new Option(flags, description).choices([...DATABASE_PLACES])
}

async function run(cli: CliContext, flags: RestoreFlags): Promise<ExitCode> {
  const { from, to } = flags
  if (from === to) throw new UsageError(`--from and --to must differ, got ${from} twice`)
  if (flags.dryRun === true) return await runVerify(cli, flags, { deep: false, into: to })
  return await runPass(cli, flags, (history, options) =>
    history.reconcile({ ...options, into: to }),
  )
}
