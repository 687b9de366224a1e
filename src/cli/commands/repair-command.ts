import type { Command } from 'commander'
import type { CliContext } from '../cli-context.ts'
import { addExamples } from '../help/examples.ts'
import { addPassOptions, runPass, runVerify, type PassFlags } from './pass-command.ts'

/** `everthread repair` */
export function addRepairCommand(program: Command, cli: CliContext): void {
  const command = program
    .command('repair')
    .description('Write intact values over damaged ones, each from the other database.')
    .option('--dry-run', 'find what is damaged and change nothing')
  addExamples(command, ['everthread repair --dry-run', 'everthread repair'])
  addPassOptions(command).action(async (flags: PassFlags) => {
    cli.exitCode =
      flags.dryRun === true
        ? await runVerify(cli, flags, { deep: true })
        : await runPass(cli, flags, (history, options) => history.repair(options))
  })
}
