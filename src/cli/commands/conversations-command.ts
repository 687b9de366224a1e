import { Option, type Command } from 'commander'
import type { ChatHistory } from '../../chat/chat-history.ts'
import type { Conversation, ConversationPage } from '../../chat/message.ts'
import type { ListConversationsOptions } from '../../chat/records/record-options.ts'
import { DATABASE_PLACES } from '../../core/places.ts'
import { PAGE_ITEMS_MAX } from '../../core/limits.ts'
import type { CliContext, StoreFlags } from '../cli-context.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { addExamples, addParagraph } from '../help/examples.ts'
import { printableLine } from '../output/printable.ts'
import { addStoreOptions } from '../store-options.ts'
import { readComplete } from '../transfer/read-complete.ts'
import { UsageError } from '../usage-error.ts'
import { confirm } from './confirm.ts'
import { wholeNumber } from './parse-number.ts'

interface ListFlags extends StoreFlags {
  readonly json?: boolean
  readonly limit: number
  readonly before?: string
  readonly owner?: string
  readonly titlePrefix?: string
  readonly metadata: Readonly<Record<string, unknown>>
  readonly orderBy: 'activity' | 'created'
  readonly count?: boolean
}

interface RecordFlags extends StoreFlags {
  readonly json?: boolean
  readonly title?: string
  readonly owner?: string
  readonly metadata: Readonly<Record<string, unknown>>
  readonly createdAt?: string
  readonly ifStamp?: string
  readonly yes?: boolean
  readonly wait?: boolean
}

/** `everthread conversations …` */
export function addConversationsCommand(program: Command, cli: CliContext): void {
  const group = program
    .command('conversations')
    .description('Titles, owners and metadata of conversations.')
  addExamples(group, [
    'everthread conversations list --owner user-1',
    'everthread conversations update conversation-1 --title "Rome in May"',
  ])
  addList(group, cli)
  addShow(group, cli)
  addCreate(group, cli)
  addUpdate(group, cli)
  addDelete(group, cli)
}

function addList(group: Command, cli: CliContext): void {
  const command = group
    .command('list', { isDefault: true })
    .description('List conversations with what is known of them, the latest activity first.')
    .option('--owner <name>', 'only those of this owner')
    .option('--title-prefix <text>', 'only those whose title begins so')
    .option('--metadata <name=value>', 'only those with this field; may be repeated', collect, {})
    .addOption(
      new Option('--order-by <order>', 'what comes first').choices(['activity', 'created']),
    )
    .option('--count', 'count the messages of each')
    .option('--limit <count>', 'how many', wholeNumber(1, PAGE_ITEMS_MAX), 50)
    .option('--before <cursor>', 'go on where the page before ended')
  addExamples(command, [
    'everthread conversations list --owner user-1',
    'everthread conversations list --title-prefix Trip --metadata starred=true --json',
  ])
  addStoreOptions(command).action(async (flags: ListFlags) => {
    cli.exitCode = await runList(cli, flags)
  })
}

function addShow(group: Command, cli: CliContext): void {
  const command = group
    .command('show')
    .description('Show what is known of a conversation; everthread show has its messages.')
    .argument('<id>', 'of the conversation')
  addExamples(command, ['everthread conversations show conversation-1'])
  addStoreOptions(command).action(async (id: string, flags: RecordFlags) => {
    cli.exitCode = await runShow(cli, id, flags)
  })
}

function addCreate(group: Command, cli: CliContext): void {
  const command = withFields(group.command('create'))
    .description('Give a conversation a record: title, owner, metadata.')
    .option('--created-at <time>', 'when it began, if not now: RFC 3339')
  addExamples(command, [
    'everthread conversations create conversation-1 --title "Trip to Rome" --owner user-1',
  ])
  addStoreOptions(command).action(async (id: string, flags: RecordFlags) => {
    const fields = { ...fieldsOf(flags), ...(flags.createdAt && { createdAt: flags.createdAt }) }
    await change(cli, id, flags, (history) => history.createConversation(id, fields))
  })
}

function addUpdate(group: Command, cli: CliContext): void {
  const command = withFields(group.command('update'))
    .description('Change fields of a record; the others stay.')
    .option('--if-stamp <stamp>', 'only if nothing was changed since this stamp was shown')
  addParagraph(command, 'An empty title or owner takes it away; so does a field without a value.')
  addExamples(command, [
    'everthread conversations update conversation-1 --title "Rome in May"',
    'everthread conversations update conversation-1 --metadata starred=true --metadata draft=',
  ])
  addStoreOptions(command).action(async (id: string, flags: RecordFlags) => {
    const { title, owner, ...rest } = fieldsOf(flags)
    const patch = {
      ...rest,
      ...(title !== undefined && { title: title === '' ? null : title }),
      ...(owner !== undefined && { owner: owner === '' ? null : owner }),
    }
    const options = flags.ifStamp === undefined ? {} : { ifStamp: flags.ifStamp }
    await change(cli, id, flags, (history) => history.updateConversation(id, patch, options))
  })
}

function addDelete(group: Command, cli: CliContext): void {
  const command = group
    .command('delete')
    .description('Delete a conversation, its messages and its record, for good.')
    .argument('<id>', 'of the conversation')
    .option('--yes', 'do not ask; needed where there is no terminal to ask on')
    .option('--wait', 'end only when both databases are known to be clear')
  addExamples(command, ['everthread conversations delete conversation-1 --yes'])
  addStoreOptions(command).action(async (id: string, flags: RecordFlags) => {
    cli.exitCode = await runDelete(cli, id, flags)
  })
}

function withFields(command: Command): Command {
  return command
    .argument('<id>', 'of the conversation')
    .option('--title <text>', 'its title')
    .option('--owner <name>', 'whose it is')
    .option('--metadata <name=value>', 'a field, JSON or text; may be repeated', collect, {})
}

function fieldsOf({ title, owner, metadata }: RecordFlags): {
  readonly title?: string
  readonly owner?: string
  readonly metadata?: Readonly<Record<string, unknown>>
} {
  return {
    ...(title !== undefined && { title }),
    ...(owner !== undefined && { owner }),
    ...(Object.keys(metadata).length > 0 && { metadata }),
  }
}

/** One more field: JSON where the value is some, else text. */
function collect(
  text: string,
  before: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const at = text.indexOf('=')
  if (at < 1) throw new UsageError(`--metadata must be name=value, got ${JSON.stringify(text)}`)
  return { ...before, [text.slice(0, at)]: valueOf(text.slice(at + 1)) }
}

function valueOf(text: string): unknown {
  if (text === '') return null
  try {
    return JSON.parse(text) as unknown
  } catch {
    return text
  }
}

async function runList(cli: CliContext, flags: ListFlags): Promise<ExitCode> {
  const { terminal } = cli
  const { limit, before, owner, titlePrefix, metadata, orderBy, count = false } = flags
  const options = {
    limit,
    countMessages: count,
    ...(before !== undefined && { before }),
    ...(owner !== undefined && { owner }),
    ...(titlePrefix !== undefined && { titlePrefix }),
    ...(Object.keys(metadata).length > 0 && { metadata }),
    ...(orderBy !== undefined && { orderBy }),
  } as ListConversationsOptions
  const page = await cli.withStore(flags, (history) =>
    readComplete(() => history.listConversations(options)),
  )
  if (flags.json === true) await terminal.writeJson(page)
  else await print(cli, page, count)
  return page.complete ? EXIT.ok : EXIT.partial
}

async function print(
  { terminal }: CliContext,
  { conversations, nextCursor, complete }: ConversationPage,
  counts: boolean,
): Promise<void> {
  if (conversations.length === 0) terminal.note('There are no conversations.')
  else {
    const head = [
      'last activity',
      'conversation',
      'title',
      'owner',
      ...(counts ? ['messages'] : []),
    ]
    const rows = conversations.map((conversation) => [
      conversation.lastActivityAt,
      conversation.conversationId,
      conversation.title ?? '',
      conversation.owner ?? '',
      ...(counts ? [String(conversation.messageCount)] : []),
    ])
    for (const line of terminal.table(head, rows)) await terminal.writeLine(line)
  }
  if (nextCursor !== undefined) terminal.note(`More: --before ${nextCursor}`)
  if (!complete) terminal.note('The list may lack the latest changes of other processes.')
}

async function runShow(cli: CliContext, id: string, flags: RecordFlags): Promise<ExitCode> {
  const { terminal } = cli
  const found = await cli.withStore(flags, (history) => history.getConversation(id))
  if (found === undefined) {
    terminal.note(`everthread: there is no conversation ${JSON.stringify(id)}`)
    return EXIT.failure
  }
  if (flags.json === true) await terminal.writeJson(found)
  else for (const line of linesOf(found)) await terminal.writeLine(line)
  return found.complete ? EXIT.ok : EXIT.partial
}

function linesOf({ metadata = {}, ...fields }: Conversation): string[] {
  const shown = { ...fields, ...prefixed(metadata) }
  const width = Math.max(...Object.keys(shown).map((name) => name.length))
  return Object.entries(shown).map(([name, value]) => {
    const text = typeof value === 'string' ? value : JSON.stringify(value)
    return `${printableLine(name).padEnd(width)}  ${printableLine(text)}`
  })
}

function prefixed(metadata: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(metadata).map(([name, value]) => [`metadata.${name}`, value]),
  )
}

async function change(
  cli: CliContext,
  id: string,
  flags: RecordFlags,
  act: (history: ChatHistory) => Promise<object>,
): Promise<void> {
  const receipt = await cli.withStore(flags, act)
  if (flags.json === true) await cli.terminal.writeJson(receipt)
  else await cli.terminal.writeLine(`Saved ${printableLine(JSON.stringify(id))}.`)
  cli.exitCode = EXIT.ok
}

const WHY = 'delete removes a conversation for good'

async function runDelete(cli: CliContext, id: string, flags: RecordFlags): Promise<ExitCode> {
  const { terminal } = cli
  const name = printableLine(JSON.stringify(id))
  const text = `Delete ${name}, its messages and its record?`
  const answer = flags.yes === true ? 'yes' : await confirm(cli, { why: WHY, text })
  if (answer !== 'yes') {
    terminal.note('Nothing was deleted.')
    return answer === 'no' ? EXIT.failure : EXIT.interrupted
  }
  const wait = flags.wait === true ? 'everywhere' : 'acknowledged'
  const receipt = await cli.withStore(flags, (history) => history.deleteConversation(id, { wait }))
  const later = DATABASE_PLACES.filter((place) => !receipt.clear.includes(place))
  if (flags.json === true) await terminal.writeJson(receipt)
  else if (later.length === 0) await terminal.writeLine(`Deleted ${name} in both databases.`)
  else {
    await terminal.writeLine(
      `Deleted ${name}; ${later.join(' and ')} will follow, it is in the log.`,
    )
  }
  return EXIT.ok
}
