import type { Command } from 'commander'
import type { ConversationPage } from '../../chat/message.ts'
import { PAGE_ITEMS_MAX } from '../../core/limits.ts'
import type { CliContext, StoreFlags } from '../cli-context.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { addExamples } from '../help/examples.ts'
import { addStoreOptions } from '../store-options.ts'
import { wholeNumber } from './parse-number.ts'
import { readComplete } from '../transfer/read-complete.ts'

interface ListFlags extends StoreFlags {
  readonly json?: boolean
  readonly limit: number
  readonly before?: string
}

/** `everthread list` */
export function addListCommand(program: Command, cli: CliContext): void {
  const command = program
    .command('list')
    .description('List conversations, the latest activity first.')
    .option('--limit <count>', 'how many', wholeNumber(1, PAGE_ITEMS_MAX), 50)
    .option('--before <cursor>', 'go on where the page before ended')
  addExamples(command, ['everthread list', 'everthread list --limit 10 --tenant acme'])
  addStoreOptions(command).action(async (flags: ListFlags) => {
    cli.exitCode = await runList(cli, flags)
  })
}

async function runList(cli: CliContext, flags: ListFlags): Promise<ExitCode> {
  const { terminal } = cli
  const { limit, before, json = false } = flags
  const page = await cli.withStore(flags, (history) =>
    readComplete(() =>
      history.listConversations({ limit, ...(before !== undefined && { before }) }),
    ),
  )
  if (json) await terminal.writeJson(page)
  else await print(cli, page)
  return page.complete ? EXIT.ok : EXIT.partial
}

async function print({ terminal }: CliContext, page: ConversationPage): Promise<void> {
  if (page.conversations.length === 0) terminal.note('There are no conversations.')
  else {
    const rows = page.conversations.map(({ conversationId, lastActivityAt }) => [
      lastActivityAt,
      conversationId,
    ])
    for (const line of terminal.table(['last activity', 'conversation'], rows)) {
      await terminal.writeLine(line)
    }
  }
  if (page.nextCursor !== undefined) terminal.note(`More: --before ${page.nextCursor}`)
  if (!page.complete) terminal.note('The list may lack the latest changes of other processes.')
}
