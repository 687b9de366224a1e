import { Command, CommanderError } from 'commander'
import { messageOf, isStorageError } from '../core/errors.ts'
import { CliContext, type CliIo } from './cli-context.ts'
import { addClearCommand } from './commands/clear-command.ts'
import { addDemoCommand } from './commands/demo-command.ts'
import { addEraseCommand } from './commands/erase-command.ts'
import { addExportCommand } from './commands/export-command.ts'
import { addImportCommand } from './commands/import-command.ts'
import { addListCommand } from './commands/list-command.ts'
import { addMigrateCommand } from './commands/migrate-command.ts'
import { addReconcileCommand } from './commands/reconcile-command.ts'
import { addRepairCommand } from './commands/repair-command.ts'
import { addRestoreCommand } from './commands/restore-command.ts'
import { addShowCommand } from './commands/show-command.ts'
import { addStatusCommand } from './commands/status-command.ts'
import { addVerifyCommand } from './commands/verify-command.ts'
import { addWalCommand } from './commands/wal-command.ts'
import { EXIT, exitCodeOf, type ExitCode } from './exit-codes.ts'
import { OutputClosed } from './output/output-closed.ts'
import { packageVersion } from './package-version.ts'

/** Runs one command line and resolves with its exit code. It never rejects. */
export async function runCli(args: readonly string[], io: CliIo): Promise<ExitCode> {
  const cli = new CliContext(io)
  try {
    await Promise.race([program(cli).parseAsync([...args], { from: 'user' }), interrupted(cli)])
    return cli.exitCode
  } catch (error) {
    return report(error, cli, args.includes('--json'))
  }
}

function program(cli: CliContext): Command {
  const command = new Command('everthread')
    .description('Chat history that is never lost: import, export, look into and check a store.')
    .version(packageVersion())
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void cli.io.stdout.write(text),
      writeErr: (text) => void cli.io.stderr.write(text),
    })
    .showHelpAfterError('(--help shows what there is)')
    .addHelpText(
      'after',
      `
Examples:
  $ everthread demo
  $ everthread import conversations.jsonl
  $ everthread export --output conversations.jsonl
  $ everthread show conversation-1
  $ EVERTHREAD_PRIMARY_URL=postgresql://user:password@host/db everthread status

Exit codes: 0 done, 1 failure, 2 usage, 3 partly done, 4 store unavailable, 130 interrupted.`,
    )
  addImportCommand(command, cli)
  addExportCommand(command, cli)
  addListCommand(command, cli)
  addShowCommand(command, cli)
  addClearCommand(command, cli)
  addEraseCommand(command, cli)
  addStatusCommand(command, cli)
  addMigrateCommand(command, cli)
  addVerifyCommand(command, cli)
  addReconcileCommand(command, cli)
  addRepairCommand(command, cli)
  addRestoreCommand(command, cli)
  addWalCommand(command, cli)
  addDemoCommand(command, cli)
  return command
}

/**
 * Resolves when the user interrupts a command that does not care: it is cut off where it is, which
 * a store stands by design. A command that does care ends by itself, soon.
 */
async function interrupted(cli: CliContext): Promise<void> {
  const { interrupt } = cli.io
  await new Promise<void>((resolve) => {
    if (interrupt.aborted) resolve()
    else interrupt.addEventListener('abort', () => resolve(), { once: true })
  })
  if (cli.endsItself) await new Promise<never>(() => {})
  cli.exitCode = cli.interruptCode
}

function report(error: unknown, cli: CliContext, json: boolean): ExitCode {
  if (error instanceof OutputClosed) return EXIT.ok
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage
  if (json) {
    const code = isStorageError(error) ? { code: error.code, effect: error.effect } : {}
    cli.terminal.note(JSON.stringify({ error: { ...code, message: messageOf(error) } }))
  } else {
    // The library names its option: here it is a flag.
    const text = messageOf(error).replace('allowDegradedStart: true', '--allow-degraded-start')
    cli.terminal.note(`everthread: ${text}`)
  }
  return exitCodeOf(error)
}
