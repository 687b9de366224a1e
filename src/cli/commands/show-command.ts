import type { Command } from 'commander'
import type { AssistantMessage, ChatMessage, HistoryPage, ToolMessage } from '../../chat/message.ts'
import { PAGE_ITEMS_MAX } from '../../core/limits.ts'
import type { CliContext, StoreFlags } from '../cli-context.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { addExamples } from '../help/examples.ts'
import { printable, printableLine } from '../output/printable.ts'
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
    for (const line of linesOf(message, cli)) await terminal.writeLine(line)
  }
  if (!page.complete) terminal.note('The latest messages of other processes may be missing.')
}

/** What is stored may be of another release, or of somebody else: nothing but being a message is sure. */
function linesOf(message: ChatMessage, { terminal }: CliContext): string[] {
  const { id, role, content, createdAt, toolCalls, toolCallId, name, type }: Stored = message
  // An item without a role says what it is by its type.
  const what = textOf(role ?? type)
  const who = name === undefined ? what : `${what} (${textOf(name)})`
  const answers = toolCallId === undefined ? '' : ` answers ${textOf(toolCallId)}`
  const heading =
    terminal.colour('bold', printableLine(who)) +
    terminal.colour('dim', printableLine(`${answers}  ${textOf(createdAt)}  ${textOf(id)}`))
  const body = listOf(content).map(partText)
  const calls = listOf(toolCalls).map((call) => `-> ${JSON.stringify(call)}`)
  const text = [...body, ...calls, ...otherFields(message)].join('\n')
  return [heading, ...(text === '' ? [] : printable(text).split('\n').map(indent)), '']
}

type Stored = { readonly [Field in keyof AssistantMessage | keyof ToolMessage | 'type']?: unknown }

/** What is neither in a content nor known to everyone: the parts of a message, or all of an item. */
function otherFields(message: ChatMessage): string[] {
  const {
    id: _id,
    createdAt: _createdAt,
    role,
    type: _type,
    content,
    ...rest
  } = message as object as Others
  if (role !== undefined && content !== undefined) return []
  const { toolCalls: _calls, toolCallId: _callId, name: _name, metadata: _metadata, ...own } = rest
  const shown = role === undefined ? rest : own
  return Object.keys(shown).length === 0 ? [] : [JSON.stringify(shown)]
}

type Others = { readonly [field: string]: unknown }

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : value === undefined || value === null ? [] : [value]
}

function partText(part: unknown): string {
  if (typeof part === 'string') return part
  const { type, text } = (part ?? {}) as { readonly type?: unknown; readonly text?: unknown }
  return type === 'text' && typeof text === 'string' ? text : JSON.stringify(part)
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function indent(line: string): string {
  return line === '' ? '' : `  ${line}`
}
