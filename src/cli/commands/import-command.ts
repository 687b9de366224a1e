import { open } from 'node:fs/promises'
import { addAbortSignal, type Readable } from 'node:stream'
import type { Command } from 'commander'
import { messageOf } from '../../core/errors.ts'
import type { CliContext, StoreFlags } from '../cli-context.ts'
import { EXIT, exitCodeOf, type ExitCode } from '../exit-codes.ts'
import { addExamples, addParagraph } from '../help/examples.ts'
import { readLines } from '../jsonl/read-lines.ts'
import { Progress } from '../output/progress.ts'
import { addStoreOptions } from '../store-options.ts'
import { cipherOf } from '../settings/cipher-of.ts'
import { refuseDatabaseFile } from '../settings/refuse-database-file.ts'
import { decryptedLines } from '../transfer/encrypted-lines.ts'
import { importLines, type ImportOutcome } from '../transfer/import-lines.ts'
import type { ImportProblem, ImportReport } from '../transfer/import-report.ts'
import { newReceipts } from '../transfer/new-receipts.ts'
import { seconds } from './parse-number.ts'

interface ImportFlags extends StoreFlags {
  readonly json?: boolean
  readonly strict?: boolean
  readonly retryFor: number
}

/** `everthread import FILE` */
export function addImportCommand(program: Command, cli: CliContext): void {
  const command = program
    .command('import')
    .description('Save the conversations of a JSONL file; - reads standard input.')
    .argument('<file>', 'one conversation a line: {"conversationId", "messages": […]}')
    .option('--strict', 'stop at the first problem')
    .option('--retry-for <seconds>', 'how long a save is repeated during an outage', seconds, 60)
  addParagraph(
    command,
    'An import can be repeated: what is there already is recognised, never stored twice and never ' +
      'overwritten. After an interruption, run the same command again.',
  )
  addExamples(command, [
    'everthread import conversations.jsonl',
    'everthread import --strict --json conversations.jsonl',
    'zcat conversations.jsonl.gz | everthread import -',
  ])
  addStoreOptions(command).action(async (file: string, flags: ImportFlags) => {
    cli.exitCode = await runImport(cli, file, flags)
  })
}

interface Input {
  readonly stream: Readable
  /** Undefined when it is not known beforehand. */
  readonly bytes: number | undefined
}

async function runImport(cli: CliContext, file: string, flags: ImportFlags): Promise<ExitCode> {
  // Opened first: a wrong file name needs no store.
  const input = await openInput(cli, file, flags)
  const outcome = await cli.withStore(flags, async (history, settings) => {
    const cipher = await cipherOf(settings)
    cli.endsItself = true
    const progress = new Progress(cli.io.stderr)
    const stop = stopWith(cli.io.interrupt)
    const note = (text: string): void => {
      progress.clear()
      cli.terminal.note(text)
    }
    const result = await importLines({
      lines: decryptedLines(readLines(addAbortSignal(stop.signal, input.stream)), cipher),
      target: history,
      strict: flags.strict ?? false,
      retryForMs: flags.retryFor * 1000,
      stop,
      isNew: newReceipts(history.status().writer),
      onProblem: (problem) => note(problemText(problem)),
      onRetry: (error, delayMs) =>
        note(`everthread: ${messageOf(error)}; trying again in ${Math.ceil(delayMs)} ms`),
      onProgress: ({ bytes, conversations, messages }) =>
        progress.update(() => ({
          ...(input.bytes !== undefined && { fraction: bytes / input.bytes }),
          text: `${conversations} conversations, ${messages} messages`,
        })),
    })
    progress.clear()
    return result
  })
  await tell(cli, outcome, flags)
  return exitCode(cli, outcome)
}

async function openInput(cli: CliContext, file: string, flags: ImportFlags): Promise<Input> {
  if (file === '-') return { stream: cli.io.stdin as Readable, bytes: undefined }
  await refuseDatabaseFile(cli.path(file), await cli.settings(flags))
  const handle = await open(cli.path(file), 'r')
  const stat = await handle.stat()
  if (stat.isDirectory()) {
    await handle.close()
    throw new Error(`${file} is a directory`)
  }
  const bytes = stat.isFile() && stat.size > 0 ? stat.size : undefined
  return { stream: handle.createReadStream({ highWaterMark: 256 * 1024 }), bytes }
}

function stopWith(interrupt: AbortSignal): AbortController {
  const stop = new AbortController()
  if (interrupt.aborted) stop.abort()
  else interrupt.addEventListener('abort', () => stop.abort(), { once: true })
  return stop
}

async function tell(
  { terminal, io }: CliContext,
  { report, failure }: ImportOutcome,
  { json = false }: ImportFlags,
): Promise<void> {
  if (failure !== undefined) terminal.note(`everthread: ${messageOf(failure)}`)
  if (report.stoppedAtLine !== undefined) {
    terminal.note(
      `everthread: ${io.interrupt.aborted ? 'interrupted' : 'stopped'} at line ` +
        `${report.stoppedAtLine}. What was acknowledged is stored; run the same import again to go on.`,
    )
  }
  for (const [field, lines] of Object.entries(report.ignoredFields)) {
    terminal.note(`everthread: the field "${field}" of ${lines} lines has no place in the store`)
  }
  if (json) await terminal.writeJson(report)
  else await terminal.writeLine(summary(report))
}

function summary({ conversations, messages, badLines, seconds: spent }: ImportReport): string {
  const parts = [`${messages.new} new`, `${messages.alreadyThere} already there`]
  if (messages.conflicts > 0) parts.push(`${messages.conflicts} conflicts`)
  if (messages.refused > 0) parts.push(`${messages.refused} refused`)
  const bad = badLines > 0 ? `, ${badLines} bad lines` : ''
  const single = messages.singleCopy > 0 ? `; ${messages.singleCopy} have one copy so far` : ''
  return (
    `${conversations} conversations, ${messages.acknowledged} messages ` +
    `(${parts.join(', ')})${bad} in ${spent.toFixed(1)} s${single}`
  )
}

function problemText({ line, message, id, reason, kind }: ImportProblem): string {
  if (kind === 'bad-line') return `line ${line} ${reason}`
  return `line ${line}, message ${message}${id === undefined ? '' : ` (id ${id})`}: ${reason}`
}

function exitCode(cli: CliContext, { report, failure }: ImportOutcome): ExitCode {
  if (cli.io.interrupt.aborted && report.stoppedAtLine !== undefined) return cli.interruptCode
  if (failure !== undefined) return exitCodeOf(failure)
  return report.badLines + report.messages.conflicts + report.messages.refused > 0
    ? EXIT.partial
    : EXIT.ok
}
