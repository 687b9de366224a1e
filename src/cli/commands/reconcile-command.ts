import type { Command } from 'commander'
import type { CliContext } from '../cli-context.ts'
import type { ExitCode } from '../exit-codes.ts'
import { addExamples } from '../help/examples.ts'
import { addPassOptions, runPass, runVerify, type PassFlags } from './pass-command.ts'

interface ReconcileFlags extends PassFlags {
  readonly recent?: boolean
}

/** `everthread reconcile` */
export function addReconcileCommand(program: Command, cli: CliContext): void {
  const command = program
    .command('reconcile')
    .description('Compare the two databases and copy what either lacks; beside a running service.')
    .option('--recent', 'only what is new since the last pass')
    .option('--dry-run', 'compare everything and change nothing')
  addExamples(command, [
    'everthread reconcile --dry-run',
    'everthread reconcile',
    'everthread reconcile --recent --rows-per-second 5000',
  ])
  addPassOptions(command).action(async (flags: ReconcileFlags) => {
    cli.exitCode = await run(cli, flags)
  })
}

async function run(cli: CliContext, flags: ReconcileFlags): Promise<ExitCode> {
  if (flags.dryRun === true) return await runVerify(cli, flags, { deep: false })
  const scope = flags.recent === true ? 'recent' : 'full'
  return await runPass(cli, flags, (history, options) => history.reconcile({ ...options, scope }))
}
