import { Option, type Command } from 'commander'
import { ROLES, type Role } from '../../chat/message.ts'
import type { SearchHit, SearchPage } from '../../chat/search/search-options.ts'
import type { CliContext, StoreFlags } from '../cli-context.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { addExamples } from '../help/examples.ts'
import { printableLine } from '../output/printable.ts'
import { addStoreOptions } from '../store-options.ts'
import { readComplete } from '../transfer/read-complete.ts'
import { wholeNumber } from './parse-number.ts'

interface SearchFlags extends StoreFlags {
  readonly json?: boolean
  readonly limit: number
  readonly titles?: boolean
  readonly conversation?: string
  readonly owner?: string
  readonly role?: Role
  readonly after?: string
  readonly before?: string
  readonly cursor?: string
}

/** `everthread search TEXT` */
export function addSearchCommand(program: Command, cli: CliContext): void {
  const command = program
    .command('search')
    .description('Find messages that have all of these words, the latest first.')
    .argument('<text>', 'words, "phrases" in quotes, and -word for what must not be there')
    .option('--limit <count>', 'how many', wholeNumber(1, 100), 20)
    .option('--titles', 'in the titles of conversations instead')
    .option('--conversation <id>', 'only in this one')
    .option('--owner <name>', 'only in conversations of this owner')
    .addOption(new Option('--role <role>', 'only messages of this role').choices(ROLES))
    .option('--after <time>', 'only what was saved then or later, as in 2026-01-01T00:00:00Z')
    .option('--before <time>', 'only what was saved before')
    .option('--cursor <cursor>', 'go on where the page before ended')
  addExamples(command, [
    'everthread search "refund order"',
    `everthread search '"out of stock" -shoes' --role assistant --json`,
  ])
  addStoreOptions(command).action(async (text: string, flags: SearchFlags) => {
    cli.exitCode = await runSearch(cli, text, flags)
  })
}

async function runSearch(cli: CliContext, text: string, flags: SearchFlags): Promise<ExitCode> {
  const { conversation, owner, role, after, before, cursor, limit, titles } = flags
  const page = await cli.withStore(flags, (history) =>
    readComplete(() =>
      history.search({
        text,
        limit,
        in: titles === true ? 'titles' : 'messages',
        ...(conversation !== undefined && { conversationId: conversation }),
        ...(owner !== undefined && { owner }),
        ...(role !== undefined && { role }),
        ...(after !== undefined && { after }),
        ...(before !== undefined && { before }),
        ...(cursor !== undefined && { cursor }),
      }),
    ),
  )
  if (flags.json === true) await cli.terminal.writeJson(page)
  else await print(cli, page)
  return page.complete ? EXIT.ok : EXIT.partial
}

async function print({ terminal }: CliContext, page: SearchPage): Promise<void> {
  if (page.hits.length === 0) terminal.note('Nothing was found.')
  for (const hit of page.hits) {
    const who = hit.message === undefined ? 'title' : String(hit.message.role)
    const when = hit.message === undefined ? '' : `  ${String(hit.message.createdAt)}`
    await terminal.writeLine(
      terminal.colour('bold', printableLine(hit.conversationId)) +
        terminal.colour('dim', printableLine(`  ${who}${when}  ${hit.message?.id ?? ''}`)),
    )
    await terminal.writeLine(`  ${shown(hit, (word) => terminal.colour('yellow', word))}`)
  }
  if (page.nextCursor !== undefined) terminal.note(`More: --cursor ${page.nextCursor}`)
  if (!page.complete) terminal.note('What other processes saved last may be missing.')
}

/** The excerpt with its words marked. */
function shown({ excerpt, highlights }: SearchHit, mark: (word: string) => string): string {
  let at = 0
  let line = ''
  for (const [start, end] of highlights) {
    line += printableLine(excerpt.slice(at, start)) + mark(printableLine(excerpt.slice(start, end)))
    at = end
  }
  return line + printableLine(excerpt.slice(at))
}
