import type { Command } from 'commander'
import type { CliContext } from '../cli-context.ts'
import { addPassOptions, runVerify, type PassFlags } from './pass-command.ts'

interface VerifyFlags extends PassFlags {
  readonly deep?: boolean
}

/** `everthread verify` */
export function addVerifyCommand(program: Command, cli: CliContext): void {
  const command = program
    .command('verify')
    .description('Compare the two databases with each other; writes nothing and opens no log.')
    .option('--deep', 'also compare every value with its digest: finds damage, reads everything')
  addPassOptions(command).action(async (flags: VerifyFlags) => {
    cli.exitCode = await runVerify(cli, flags, { deep: flags.deep === true })
  })
}
