import type { Command } from 'commander'
import { DATABASE_PLACES } from '../../core/places.ts'
import type { CliContext, StoreFlags } from '../cli-context.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { addExamples } from '../help/examples.ts'
import { printableLine } from '../output/printable.ts'
import { addStoreOptions } from '../store-options.ts'
import { confirm } from './confirm.ts'

interface ClearFlags extends StoreFlags {
  readonly json?: boolean
  readonly yes?: boolean
  readonly wait?: boolean
}

/** `everthread clear ID` */
export function addClearCommand(program: Command, cli: CliContext): void {
  const command = program
    .command('clear')
    .description('Delete all messages of a conversation, for good and in every place.')
    .argument('<conversation>', 'its id')
    .option('--yes', 'do not ask; needed where there is no terminal to ask on')
    .option('--wait', 'end only when both databases are known to be clear')
  addExamples(command, [
    'everthread clear conversation-1',
    'everthread clear conversation-1 --yes --wait',
  ])
  addStoreOptions(command).action(async (conversation: string, flags: ClearFlags) => {
    cli.exitCode = await runClear(cli, conversation, flags)
  })
}

const WHY = 'clear deletes messages for good'

async function runClear(cli: CliContext, id: string, flags: ClearFlags): Promise<ExitCode> {
  const { terminal } = cli
  const answer =
    flags.yes === true
      ? 'yes'
      : await confirm(cli, {
          why: WHY,
          text: `Delete all messages of ${printableLine(JSON.stringify(id))}?`,
        })
  if (answer !== 'yes') {
    terminal.note('Nothing was cleared.')
    return answer === 'no' ? EXIT.failure : EXIT.interrupted
  }
  const receipt = await cli.withStore(flags, (history) =>
    history.clearHistory(id, { wait: flags.wait === true ? 'everywhere' : 'acknowledged' }),
  )
  const later = DATABASE_PLACES.filter((place) => !receipt.clear.includes(place))
  if (flags.json === true) await terminal.writeJson(receipt)
  else {
    await terminal.writeLine(
      later.length === 0
        ? `Cleared ${printableLine(JSON.stringify(id))} in both databases.`
        : `Cleared ${printableLine(JSON.stringify(id))}; ${later.join(' and ')} will follow, it is in the log.`,
    )
  }
  return EXIT.ok
}
