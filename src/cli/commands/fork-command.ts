import type { Command } from 'commander'
import type { CliContext, StoreFlags } from '../cli-context.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { addExamples } from '../help/examples.ts'
import { printableLine } from '../output/printable.ts'
import { addStoreOptions } from '../store-options.ts'

interface ForkFlags extends StoreFlags {
  readonly json?: boolean
  readonly from?: string
  readonly as?: string
}

/** `everthread fork ID` */
export function addForkCommand(program: Command, cli: CliContext): void {
  const command = program
    .command('fork')
    .description('Make a conversation that goes on from a message of another; nothing is copied.')
    .argument('<conversation>', 'its id')
    .option('--from <message>', 'the last message that both have, by its id; default: the latest')
    .option('--as <id>', 'the id of the new conversation; default: made by the store')
  addExamples(command, [
    'everthread fork conversation-1',
    'everthread fork conversation-1 --from message-7 --as conversation-2',
  ])
  addStoreOptions(command).action(async (conversation: string, flags: ForkFlags) => {
    cli.exitCode = await runFork(cli, conversation, flags)
  })
}

async function runFork(cli: CliContext, id: string, flags: ForkFlags): Promise<ExitCode> {
  const { from, as } = flags
  const receipt = await cli.withStore(flags, (history) =>
    history.fork(id, { ...(from !== undefined && { from }), ...(as !== undefined && { as }) }),
  )
  if (flags.json === true) await cli.terminal.writeJson(receipt)
  else {
    const [source, message, fork] = [id, receipt.messageId, receipt.conversationId].map((name) =>
      printableLine(JSON.stringify(name)),
    )
    await cli.terminal.writeLine(`Forked ${source} behind ${message}, as ${fork}.`)
  }
  return EXIT.ok
}
