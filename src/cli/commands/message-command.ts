import type { Command } from 'commander'
import type { NewMessage, Receipt } from '../../chat/message.ts'
import type { ChatHistory } from '../../chat/chat-history.ts'
import type { CliContext, StoreFlags } from '../cli-context.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { addExamples } from '../help/examples.ts'
import { printableLine } from '../output/printable.ts'
import { addStoreOptions } from '../store-options.ts'
import { confirm } from './confirm.ts'

interface MessageFlags extends StoreFlags {
  readonly json?: boolean
  readonly yes?: boolean
}

interface EditFlags extends MessageFlags {
  readonly content: string
}

/** What is done to one message. */
interface Change {
  readonly why: string
  readonly question: string
  readonly done: string
  readonly write: (history: ChatHistory) => Promise<Receipt>
}

const YES = 'do not ask; needed where there is no terminal to ask on'

/** `everthread message …` */
export function addMessageCommand(program: Command, cli: CliContext): void {
  const message = program.command('message').description('Edit or delete one message.')
  addExamples(message, [
    'everthread message edit conversation-1 message-7 --content "What I meant"',
    'everthread message delete conversation-1 message-7 --yes',
  ])
  const edit = message
    .command('edit')
    .description('Replace the content of a message; everything else of it stays.')
    .argument('<id>', 'the conversation')
    .argument('<message>', "the message's id")
    .requiredOption('--content <text>', 'the new content')
    .option('--yes', YES)
  addExamples(edit, ['everthread message edit conversation-1 message-7 --content "What I meant"'])
  addStoreOptions(edit).action(async (id: string, messageId: string, flags: EditFlags) => {
    const name = printableLine(JSON.stringify(messageId))
    cli.exitCode = await run(cli, flags, {
      why: 'message edit replaces what the message says',
      question: `Replace the content of ${name}?`,
      done: `Edited ${name}.`,
      write: (history) => editContent(history, id, messageId, flags.content),
    })
  })
  const remove = message
    .command('delete')
    .description('Delete a message for good, in every place; forks that share it keep it.')
    .argument('<id>', 'the conversation')
    .argument('<message>', "the message's id")
    .option('--yes', YES)
  addExamples(remove, ['everthread message delete conversation-1 message-7'])
  addStoreOptions(remove).action(async (id: string, messageId: string, flags: MessageFlags) => {
    const name = printableLine(JSON.stringify(messageId))
    cli.exitCode = await run(cli, flags, {
      why: 'message delete deletes a message for good',
      question: `Delete ${name}?`,
      done: `Deleted ${name}.`,
      write: (history) => history.deleteMessage(id, messageId),
    })
  })
}

async function run(cli: CliContext, flags: MessageFlags, change: Change): Promise<ExitCode> {
  const { why, question: text, done, write } = change
  const answer = flags.yes === true ? 'yes' : await confirm(cli, { why, text })
  if (answer !== 'yes') {
    cli.terminal.note('Nothing was changed.')
    return answer === 'no' ? EXIT.failure : EXIT.interrupted
  }
  const receipt = await cli.withStore(flags, write)
  if (flags.json === true) await cli.terminal.writeJson(receipt)
  else await cli.terminal.writeLine(done)
  return EXIT.ok
}

async function editContent(
  history: ChatHistory,
  id: string,
  messageId: string,
  content: string,
): Promise<Receipt> {
  const stands = await history.getMessage(id, messageId)
  // Without one the update says why there is none.
  const message = stands === undefined ? { role: 'user', content } : { ...stands, content }
  return await history.updateMessage(id, messageId, message as NewMessage)
}
