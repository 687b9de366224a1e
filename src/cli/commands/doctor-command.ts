import type { Command } from 'commander'
import type { CliContext, StoreFlags } from '../cli-context.ts'
import type { Finding } from '../doctor/finding.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { addExamples, addParagraph } from '../help/examples.ts'
import { addStoreOptions } from '../store-options.ts'

interface DoctorFlags extends StoreFlags {
  readonly json?: boolean
}

/** `everthread doctor` */
export function addDoctorCommand(program: Command, cli: CliContext): void {
  const command = program
    .command('doctor')
    .description(
      'Look at every place of the store, and tell what is wrong and what to do about it.',
    )
  addParagraph(
    command,
    'Connects and reads; nothing is made or changed. Exit 0: nothing is wrong, 3: something is, ' +
      '4: a place cannot be reached.',
  )
  addExamples(command, [
    'everthread doctor',
    'everthread doctor --primary postgresql://localhost/app',
    'everthread doctor --json | jq \'.findings[] | select(.level == "error")\'',
  ])
  addStoreOptions(command).action(async (flags: DoctorFlags) => {
    cli.exitCode = await runDoctor(cli, flags)
  })
}

async function runDoctor(cli: CliContext, flags: DoctorFlags): Promise<ExitCode> {
  const { terminal } = cli
  const settings = await cli.settings(flags)
  // Loaded late: `--help` and mistakes need no store.
  const { examine } = await import('../doctor/examine.ts')
  const findings = await examine(settings, flags.verbose === true ? cli.logger(flags) : undefined)
  const code = verdictOf(findings)
  if (flags.json === true) await terminal.writeJson({ ok: code === EXIT.ok, findings })
  else {
    const { findingLines } = await import('../doctor/finding-lines.ts')
    for (const line of findingLines(findings, terminal)) await terminal.writeLine(line)
  }
  return code
}

function verdictOf(findings: readonly Finding[]): ExitCode {
  if (findings.some(({ code }) => code === 'unreachable')) return EXIT.unavailable
  const isWrong = findings.some(({ level }) => level === 'error' || level === 'warning')
  return isWrong ? EXIT.partial : EXIT.ok
}
