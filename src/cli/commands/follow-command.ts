import type { Command } from 'commander'
import type { ChangeEvent } from '../../chat/changes/change.ts'
import type { ChatHistory } from '../../chat/chat-history.ts'
import { PAGE_ITEMS_MAX } from '../../core/limits.ts'
import { messageOf } from '../../core/errors.ts'
import type { CliContext, StoreFlags } from '../cli-context.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { addExamples } from '../help/examples.ts'
import { messageLines } from '../output/message-lines.ts'
import { printableLine } from '../output/printable.ts'
import { addStoreOptions } from '../store-options.ts'
import { readComplete } from '../transfer/read-complete.ts'
import { wholeNumber } from './parse-number.ts'

interface FollowFlags extends StoreFlags {
  readonly json?: boolean
  readonly last: number
  readonly since?: string
}

/** `everthread follow ID` */
export function addFollowCommand(program: Command, cli: CliContext): void {
  const command = program
    .command('follow')
    .description(
      'Show the latest messages of a conversation, and each change as it comes, until Ctrl-C.',
    )
    .argument('<conversation>', 'its id')
    .option('--last <count>', 'how many messages to begin with', wholeNumber(0, PAGE_ITEMS_MAX), 10)
    .option('--since <cursor>', 'begin behind the change that has this cursor (--json prints them)')
  addExamples(command, [
    'everthread follow conversation-1',
    'everthread follow conversation-1 --last 0 --json | jq .message.content',
  ])
  addStoreOptions(command).action(async (conversation: string, flags: FollowFlags) => {
    cli.endsItself = true
    cli.exitCode = await cli.withStore(flags, (history) =>
      follow(cli, history, conversation, flags),
    )
  })
}

async function follow(
  cli: CliContext,
  history: ChatHistory,
  conversationId: string,
  { json = false, last, since }: FollowFlags,
): Promise<ExitCode> {
  const { terminal, io } = cli
  const changes = history.subscribe({
    conversationId,
    signal: io.interrupt,
    ...(since !== undefined && { since }),
    onState: ({ state, error }) =>
      terminal.note(
        state === 'live'
          ? 'everthread: a place answers again'
          : `everthread: ${messageOf(error)}; waiting`,
      ),
  })
  const shown = new Map<string, string>()
  for await (const change of changes) {
    if (json) await terminal.write(`${JSON.stringify(change)}\n`)
    else if (change.type !== 'ready') await print(cli, change, shown)
    else if (since === undefined && last > 0) {
      const page = await readComplete(() => history.getHistory(conversationId, { limit: last }))
      for (const message of page.messages) {
        shown.set(message.id, JSON.stringify(message))
        for (const line of messageLines(message, terminal)) await terminal.write(`${line}\n`)
      }
    }
  }
  return io.interrupt.aborted ? cli.interruptCode : EXIT.ok
}

async function print(
  { terminal }: CliContext,
  change: ChangeEvent,
  shown: Map<string, string>,
): Promise<void> {
  const tell = (text: string): Promise<void> =>
    terminal.write(`${terminal.colour('dim', printableLine(text))}\n`)
  switch (change.type) {
    case 'message':
    case 'updated': {
      // It came between the first look and the latest messages; one that was being written may have ended.
      const known = shown.get(change.message.id)
      shown.delete(change.message.id)
      if (change.type === 'message' && known === JSON.stringify(change.message)) return
      if (change.type === 'updated') await tell(`updated  ${change.message.id}`)
      for (const line of messageLines(change.message, terminal)) await terminal.write(`${line}\n`)
      return
    }
    case 'removed':
      return await tell(`removed  ${change.id}`)
    case 'cleared':
      return await tell('cleared')
    case 'resync':
      return await tell('older messages have changed; everthread show has them')
    case 'ready':
      return
  }
}
