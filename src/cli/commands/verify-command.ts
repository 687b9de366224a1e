import type { Command } from 'commander'
import type { CliContext } from '../cli-context.ts'
import { addExamples } from '../help/examples.ts'
import { seconds } from './parse-number.ts'
import { addPassOptions, runVerify, type PassFlags } from './pass-command.ts'

interface VerifyFlags extends PassFlags {
  readonly deep?: boolean
  readonly olderThan?: number
}

/** `everthread verify` */
export function addVerifyCommand(program: Command, cli: CliContext): void {
  const command = program
    .command('verify')
    .description('Compare the two databases with each other; writes nothing and opens no log.')
    .option('--deep', 'also compare every value with its digest: finds damage, reads everything')
    .option(
      '--older-than <seconds>',
      'leave out what was saved later: beside a running service it may be on its way',
      seconds,
    )
  addExamples(command, [
    'everthread verify',
    'everthread verify --deep --rows-per-second 10000',
    'everthread verify --older-than 60 --json',
  ])
  addPassOptions(command).action(async (flags: VerifyFlags) => {
    const olderThanMs = Math.round((flags.olderThan ?? 0) * 1_000)
    cli.exitCode = await runVerify(cli, flags, { deep: flags.deep === true, olderThanMs })
  })
}
