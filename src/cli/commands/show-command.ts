import type { Command } from 'commander'
import type { HistoryPage } from '../../chat/message.ts'
import { PAGE_ITEMS_MAX } from '../../core/limits.ts'
import type { CliContext, StoreFlags } from '../cli-context.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { addExamples } from '../help/examples.ts'
import { messageLines } from '../output/message-lines.ts'
import { addStoreOptions } from '../store-options.ts'
import { wholeNumber } from './parse-number.ts'
import { readComplete } from '../transfer/read-complete.ts'

interface ShowFlags extends StoreFlags {
  readonly json?: boolean
  readonly limit: number
  readonly before?: string
}

/** `everthread show ID` */
export function addShowCommand(program: Command, cli: CliContext): void {
  const command = program
    .command('show')
    .description('Show the latest messages of a conversation, the oldest of them first.')
    .argument('<conversation>', 'its id')
    .option('--limit <count>', 'how many messages', wholeNumber(1, PAGE_ITEMS_MAX), 50)
    .option('--before <cursor>', 'earlier messages: go on where the page before began')
  addExamples(command, [
    'everthread show conversation-1',
    'everthread show conversation-1 --limit 5 --json',
  ])
  addStoreOptions(command).action(async (conversation: string, flags: ShowFlags) => {
    cli.exitCode = await runShow(cli, conversation, flags)
  })
}

async function runShow(cli: CliContext, id: string, flags: ShowFlags): Promise<ExitCode> {
  const { terminal } = cli
  const { limit, before, json = false } = flags
  const page = await cli.withStore(flags, (history) =>
    readComplete(() => history.getHistory(id, { limit, ...(before !== undefined && { before }) })),
  )
  if (json) await terminal.writeJson({ conversationId: id, ...page })
  else await print(cli, page)
  if (page.messages.length === 0 && before === undefined) {
    terminal.note(`everthread: there is no conversation ${JSON.stringify(id)}`)
    return EXIT.failure
  }
  return page.complete ? EXIT.ok : EXIT.partial
}

async function print(cli: CliContext, page: HistoryPage): Promise<void> {
  const { terminal } = cli
  if (page.nextCursor !== undefined) terminal.note(`Earlier: --before ${page.nextCursor}`)
  for (const message of page.messages) {
    for (const line of messageLines(message, terminal)) await terminal.writeLine(line)
  }
  if (!page.complete) terminal.note('The latest messages of other processes may be missing.')
}
