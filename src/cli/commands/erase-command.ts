import { Option, type Command } from 'commander'
import type { ErasedForks } from '../../chat/branches/branch-options.ts'
import type { ChatHistory } from '../../chat/chat-history.ts'
import type { EraseReceipt } from '../../store/erase/erase-receipt.ts'
import { ERASE_STAGES } from '../../store/erase/erase-receipt.ts'
import type { CliContext, StoreFlags } from '../cli-context.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { addExamples } from '../help/examples.ts'
import { printableLine } from '../output/printable.ts'
import { Progress } from '../output/progress.ts'
import { addStoreOptions } from '../store-options.ts'
import { UsageError } from '../usage-error.ts'
import { confirm } from './confirm.ts'
import { seconds } from './parse-number.ts'

interface EraseFlags extends StoreFlags {
  readonly json?: boolean
  readonly yes?: boolean
  readonly dryRun?: boolean
  readonly list?: boolean
  readonly forks: ErasedForks
  readonly wait: number
}

/** What a dry run tells. */
interface Extent {
  readonly conversations: number
  readonly messages: number
}

const WAIT_SECONDS = 30

/** `everthread erase [ID]` */
export function addEraseCommand(program: Command, cli: CliContext): void {
  const command = program
    .command('erase')
    .description('Clear a conversation, or a tenant, and take every byte of it out of every place.')
    .argument('[conversation]', 'its id; without it, the whole tenant that --tenant names')
    .option('--dry-run', 'tell how much it is and change nothing')
    .option('--yes', 'do not ask; needed where there is no terminal to ask on')
    .option('--wait <seconds>', 'how long to wait for the places', seconds, WAIT_SECONDS)
    .addOption(
      new Option('--forks <what>', 'what becomes of forks that have or share its messages')
        .choices(['refuse', 'keep', 'erase'])
        .default('refuse'),
    )
    .option('--list', 'erases of the last 30 days and how far they are; erases nothing')
  addExamples(command, [
    'everthread erase conversation-1 --dry-run',
    'everthread erase --tenant acme --yes --wait 120',
    'everthread erase --list',
  ])
  addStoreOptions(command).action(async (id: string | undefined, flags: EraseFlags) => {
    cli.exitCode = await run(cli, id, flags)
  })
}

async function run(cli: CliContext, id: string | undefined, flags: EraseFlags): Promise<ExitCode> {
  if (flags.list === true) return await runList(cli, id, flags)
  if (id === undefined && flags.tenant === undefined) {
    throw new UsageError(
      'erase needs the id of a conversation, or --tenant NAME for a whole tenant',
    )
  }
  if (flags.dryRun === true) return await runDry(cli, id, flags)
  const what = nameOf(id, flags)
  const text = `Erase ${what} in every place, for good?`
  const answer = flags.yes === true ? 'yes' : await confirm(cli, { why: WHY, text })
  if (answer !== 'yes') {
    cli.terminal.note('Nothing was erased.')
    return answer === 'no' ? EXIT.failure : EXIT.interrupted
  }
  const receipt = await cli.withStore(
    flags,
    async (history) => await erase(cli, history, id, flags),
  )
  if (flags.json === true) await cli.terminal.writeJson(receipt)
  else {
    const done = receipt.complete ? 'Erased' : 'Cleared, and erased as far as can be:'
    await cli.terminal.writeLine(`${done} ${what}.`)
    await cli.terminal.writeLine()
    for (const line of linesOf(receipt, cli)) await cli.terminal.writeLine(line)
    if (!receipt.complete) {
      cli.terminal.note(
        'The rest is done by whoever has the store open. See: everthread erase --list',
      )
    }
  }
  return receipt.complete ? EXIT.ok : EXIT.partial
}

const WHY = 'erase deletes messages for good'

async function erase(
  cli: CliContext,
  history: ChatHistory,
  id: string | undefined,
  flags: EraseFlags,
): Promise<EraseReceipt> {
  const options = { deadlineMs: Math.round(flags.wait * 1000) }
  const progress = new Progress(cli.io.stderr)
  const start = performance.now()
  const draw = setInterval(() => {
    progress.update(() => {
      const passed = (performance.now() - start) / 1000
      return {
        fraction: flags.wait === 0 ? 1 : passed / flags.wait,
        text: 'waiting for the places',
      }
    })
  }, 200)
  try {
    if (id !== undefined) {
      return await history.eraseConversation(id, { ...options, forks: flags.forks })
    }
    return await history.eraseTenant(flags.tenant!, options)
  } finally {
    clearInterval(draw)
    progress.clear()
  }
}

async function runDry(
  cli: CliContext,
  id: string | undefined,
  flags: EraseFlags,
): Promise<ExitCode> {
  const extent = await cli.withStore(flags, async (history) => await extentOf(cli, history, id))
  if (flags.json === true) await cli.terminal.writeJson({ dryRun: true, ...extent })
  else {
    const { conversations, messages } = extent
    await cli.terminal.writeLine(
      `Would erase ${nameOf(id, flags)}: ${conversations} conversations, ${messages} messages.`,
    )
  }
  return EXIT.ok
}

async function extentOf(
  { io }: CliContext,
  history: ChatHistory,
  id: string | undefined,
): Promise<Extent> {
  if (id !== undefined) {
    const messages = await history.countMessages(id)
    return { conversations: messages === 0 ? 0 : 1, messages }
  }
  const progress = new Progress(io.stderr)
  let conversations = 0
  let messages = 0
  let before: string | undefined
  do {
    const page = await history.listConversations({ limit: 1000, ...(before && { before }) })
    for (const { conversationId } of page.conversations) {
      messages += await history.countMessages(conversationId)
      conversations++
      progress.update(() => ({ text: `${conversations} conversations` }))
    }
    before = page.nextCursor
  } while (before !== undefined)
  progress.clear()
  return { conversations, messages }
}

async function runList(
  cli: CliContext,
  id: string | undefined,
  flags: EraseFlags,
): Promise<ExitCode> {
  if (id !== undefined)
    throw new UsageError('erase --list takes no conversation: it lists all erases')
  const receipts = await cli.withStore(flags, async (history) => await history.listErasures())
  if (flags.json === true) await cli.terminal.writeJson(receipts)
  else {
    const rows = receipts.map(({ id: name, requestedAt, completedAt, places }) => {
      const open = ERASE_STAGES.filter((stage) => places[stage].state === 'pending')
      return [name, requestedAt, completedAt ?? `pending: ${open.join(', ')}`]
    })
    const lines =
      rows.length === 0 ? ['There are none.'] : cli.terminal.table(['id', 'asked', 'erased'], rows)
    for (const line of lines) await cli.terminal.writeLine(line)
  }
  return receipts.every(({ complete }) => complete) ? EXIT.ok : EXIT.partial
}

function nameOf(id: string | undefined, { tenant }: EraseFlags): string {
  return id === undefined
    ? `all conversations of the tenant ${printableLine(JSON.stringify(tenant))}`
    : `the conversation ${printableLine(JSON.stringify(id))}`
}

function linesOf({ id, places }: EraseReceipt, { terminal }: CliContext): string[] {
  const rows = ERASE_STAGES.map((stage) => {
    const { state, erasedAt = '', pending } = places[stage]
    return [stage, state, erasedAt, pending.join('; ')]
  })
  const remains = ERASE_STAGES.flatMap((stage) =>
    places[stage].remains.map((text) => `  ${stage}: ${printableLine(text)}`),
  )
  return [
    `receipt ${id}`,
    '',
    ...terminal.table(['place', 'state', 'at', 'waits for'], rows, (row) =>
      places[ERASE_STAGES[row]!].state === 'pending' ? 'yellow' : 'green',
    ),
    ...(remains.length === 0 ? [] : ['', 'Out of reach from here:', ...remains]),
  ]
}
