import { Command } from 'commander'
import type { CliContext } from './cli-context.ts'
import { addClearCommand } from './commands/clear-command.ts'
import { addCompletionCommand } from './commands/completion-command.ts'
import { addConversationsCommand } from './commands/conversations-command.ts'
import { addDemoCommand } from './commands/demo-command.ts'
import { addDoctorCommand } from './commands/doctor-command.ts'
import { addEraseCommand } from './commands/erase-command.ts'
import { addExportCommand } from './commands/export-command.ts'
import { addForkCommand } from './commands/fork-command.ts'
import { addFollowCommand } from './commands/follow-command.ts'
import { addImportCommand } from './commands/import-command.ts'
import { addInitCommand } from './commands/init-command.ts'
import { addListCommand } from './commands/list-command.ts'
import { addMessageCommand } from './commands/message-command.ts'
import { addMigrateCommand } from './commands/migrate-command.ts'
import { addReconcileCommand } from './commands/reconcile-command.ts'
import { addRepairCommand } from './commands/repair-command.ts'
import { addRestoreCommand } from './commands/restore-command.ts'
import { addSearchCommand } from './commands/search-command.ts'
import { addServeCommand } from './commands/serve-command.ts'
import { addShowCommand } from './commands/show-command.ts'
import { addStatusCommand } from './commands/status-command.ts'
import { addVerifyCommand } from './commands/verify-command.ts'
import { addWalCommand } from './commands/wal-command.ts'
import { addExamples, addParagraph } from './help/examples.ts'
import { widthOf, type OutputStream } from './output/terminal.ts'
import { packageVersion } from './package-version.ts'

/** Longer lines of help are hard to read, however wide the terminal is. */
const HELP_COLUMNS_MAX = 110
/** Of help that goes to a file or a pipe. */
const HELP_COLUMNS = 80

/** The tree of all commands. With `json` what commander has to complain about is left to the caller. */
export function createProgram(
  cli: CliContext,
  { json = false }: { readonly json?: boolean } = {},
): Command {
  const program = new Command('everthread')
  shapeOutput(program, cli, json)
  program
    .description('Chat history that is never lost: import, export, look into and check a store.')
    .version(packageVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show this')
    .helpCommand('help [command]', 'show the help of a command')
    .option('--no-color', 'without colours; so do NO_COLOR and a pipe')
    .on('option:no-color', () => cli.terminal.withoutColour())
  addExamples(program, [
    'everthread demo',
    'everthread init',
    'everthread doctor',
    'everthread import conversations.jsonl',
    'everthread show conversation-1',
    'EVERTHREAD_PRIMARY_URL=postgresql://user:password@host/db everthread status',
  ])
  addParagraph(
    program,
    'Exit codes: 0 done, 1 failure, 2 usage, 3 partly done or something is wrong, ' +
      '4 store unavailable, 5 damaged, 130 and 143 interrupted.',
  )
  program.commandsGroup('Begin:')
  addDemoCommand(program, cli)
  addInitCommand(program, cli)
  addDoctorCommand(program, cli)
  addCompletionCommand(program, cli)
  program.commandsGroup('Conversations:')
  addImportCommand(program, cli)
  addExportCommand(program, cli)
  addListCommand(program, cli)
  addSearchCommand(program, cli)
  addServeCommand(program, cli)
  addShowCommand(program, cli)
  addConversationsCommand(program, cli)
  addFollowCommand(program, cli)
  addForkCommand(program, cli)
  addMessageCommand(program, cli)
  addClearCommand(program, cli)
  addEraseCommand(program, cli)
  program.commandsGroup('Upkeep:')
  addStatusCommand(program, cli)
  addMigrateCommand(program, cli)
  addVerifyCommand(program, cli)
  addReconcileCommand(program, cli)
  addRepairCommand(program, cli)
  addRestoreCommand(program, cli)
  addWalCommand(program, cli)
  return program
}

/** Before commands are added: they take it over. */
function shapeOutput(program: Command, { io, terminal }: CliContext, json: boolean): void {
  program
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void io.stdout.write(text),
      writeErr: (text) => {
        if (!json) io.stderr.write(text)
      },
      getOutHelpWidth: () => helpWidth(io.stdout),
      getErrHelpWidth: () => helpWidth(io.stderr),
      getOutHasColors: () => terminal.isColoured,
      getErrHasColors: () => terminal.isNoteColoured,
    })
    .configureHelp({
      showGlobalOptions: true,
      minWidthToWrap: 20,
      styleTitle: (text) => `\u001b[1m${text}\u001b[22m`,
      styleCommandText: (text) => `\u001b[36m${text}\u001b[39m`,
      styleSubcommandText: (text) => `\u001b[36m${text}\u001b[39m`,
      styleOptionText: (text) => `\u001b[36m${text}\u001b[39m`,
      styleArgumentText: (text) => `\u001b[36m${text}\u001b[39m`,
    })
    .showHelpAfterError('(--help shows what there is)')
}

function helpWidth(stream: OutputStream): number {
  const width = widthOf(stream)
  return Number.isFinite(width) ? Math.min(width, HELP_COLUMNS_MAX) : HELP_COLUMNS
}
