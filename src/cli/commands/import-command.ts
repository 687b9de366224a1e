import { open, type FileHandle } from 'node:fs/promises'
import { addAbortSignal, type Readable } from 'node:stream'
import { Option, type Command } from 'commander'
import { messageOf } from '../../core/errors.ts'
import type { CliContext, StoreFlags } from '../cli-context.ts'
import { EXIT, exitCodeOf, type ExitCode } from '../exit-codes.ts'
import { IMPORT_FORMATS, type ImportFormat } from '../formats/format.ts'
import { parseLine, type ParsedLine } from '../formats/parse-line.ts'
import { openLines, ZIP } from '../input/open-lines.ts'
import { openZip } from '../input/zip-lines.ts'
import { BadLine } from '../jsonl/bad-line.ts'
import type { Line } from '../jsonl/read-lines.ts'
import { addExamples, addParagraph } from '../help/examples.ts'
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
  readonly format?: ImportFormat
  readonly conversation?: string
  readonly retryFor: number
}

/** `everthread import FILE` */
export function addImportCommand(program: Command, cli: CliContext): void {
  const command = program
    .command('import')
    .description('Save the conversations of a file; - reads standard input.')
    .argument('<file>', 'JSONL, JSON or the zip of an export')
    .addOption(
      new Option('--format <form>', 'whose form it is; recognised if left out').choices(
        IMPORT_FORMATS,
      ),
    )
    .option('--conversation <id>', 'what to call the one conversation of the file')
    .option('--strict', 'stop at the first problem')
    .option('--retry-for <seconds>', 'how long a save is repeated during an outage', seconds, 60)
  addParagraph(
    command,
    'It reads what an export wrote, the data exports of ChatGPT and Claude as they come (zip or ' +
      'conversations.json), chats of Open WebUI and LibreChat, messages of LangChain, the AI SDK and ' +
      'OpenAI, fine-tuning lines and ShareGPT, and says what it recognised and what it left out.',
  )
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
  readonly lines: (stop: AbortSignal) => AsyncIterable<Line>
  /** Undefined when it is not known beforehand. */
  readonly bytes: number | undefined
  /** What is in the same archive and is not read. */
  readonly otherFiles: number
  readonly close: () => Promise<void>
}

async function runImport(cli: CliContext, file: string, flags: ImportFlags): Promise<ExitCode> {
  // Opened first: a wrong file name needs no store.
  const input = await openInput(cli, file, flags)
  try {
    return await importFrom(input, cli, flags)
  } finally {
    await input.close()
  }
}

async function importFrom(input: Input, cli: CliContext, flags: ImportFlags): Promise<ExitCode> {
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
      lines: decryptedLines(input.lines(stop.signal), cipher),
      target: history,
      parse: parserOf(flags),
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
  await tell(cli, outcome, input, flags)
  return exitCode(cli, outcome)
}

async function openInput(cli: CliContext, file: string, flags: ImportFlags): Promise<Input> {
  const { format } = flags
  const fromStream = (stream: Readable): Input['lines'] => {
    return (stop) => openLines(addAbortSignal(stop, stream), { format })
  }
  const otherFiles = 0
  if (file === '-') {
    const lines = fromStream(cli.io.stdin as Readable)
    return { lines, bytes: undefined, otherFiles, close: async () => {} }
  }
  await refuseDatabaseFile(cli.path(file), await cli.settings(flags))
  const handle = await open(cli.path(file), 'r')
  const close = (): Promise<void> => handle.close()
  try {
    const stat = await handle.stat()
    if (stat.isDirectory()) throw new Error(`${file} is a directory`)
    if (stat.isFile() && (await isZip(handle))) {
      const read = (position: number, length: number): Promise<Buffer> =>
        readAt(handle, position, length)
      const { lines, ...zip } = await openZip({ size: stat.size, read }, format)
      return { ...zip, lines: () => lines, close }
    }
    const bytes = stat.isFile() && stat.size > 0 ? stat.size : undefined
    const stream = handle.createReadStream({ highWaterMark: 256 * 1024, autoClose: false })
    return { lines: fromStream(stream), bytes, otherFiles, close }
  } catch (error) {
    await close()
    throw error
  }
}

async function isZip(handle: FileHandle): Promise<boolean> {
  return (await readAt(handle, 0, ZIP.length)).toString('latin1') === ZIP
}

/** Fewer bytes only at the end of the file. */
async function readAt(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length)
  let filled = 0
  while (filled < length) {
    const { bytesRead } = await handle.read(buffer, filled, length - filled, position + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return buffer.subarray(0, filled)
}

/** An id that is given names one conversation; a second one under it would be mixed with the first. */
function parserOf({ format, conversation }: ImportFlags): (text: string) => ParsedLine {
  let parsed = 0
  return (text) => {
    const line = parseLine(text, { format, conversationId: conversation })
    if (conversation !== undefined && ++parsed > 1) {
      throw new BadLine('is one more conversation, and --conversation names only one')
    }
    return line
  }
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
  { otherFiles }: Input,
  { json = false }: ImportFlags,
): Promise<void> {
  if (failure !== undefined) terminal.note(`everthread: ${messageOf(failure)}`)
  if (report.stoppedAtLine !== undefined) {
    terminal.note(
      `everthread: ${io.interrupt.aborted ? 'interrupted' : 'stopped'} at ${report.unit} ` +
        `${report.stoppedAtLine}. What was acknowledged is stored; run the same import again to go on.`,
    )
  }
  for (const line of recognised(report, otherFiles)) terminal.note(`everthread: ${line}`)
  if (json) await terminal.writeJson(report)
  else await terminal.writeLine(summary(report))
}

/** What the file was taken for, if not for our own form, and what of it was left out. */
function recognised(report: ImportReport, otherFiles: number): string[] {
  const { formats, branches, leftOut, ignoredFields } = report
  const lines: string[] = []
  const names = Object.entries(formats)
  const fields = Object.entries(ignoredFields)
  if (names.every(([name]) => name === 'everthread')) {
    for (const [field, count] of fields) {
      lines.push(`the field "${field}" of ${count} ${report.unit}s has no place in the store`)
    }
  } else {
    const counted = names.map(([name, count]) => `${name} (${count} conversations)`).join(', ')
    const more = branches > 0 ? `, and ${branches} branches as forks of their conversations` : ''
    lines.push(`recognised ${counted}${more}`)
    const left = fields.map(([field, count]) => `${field} (${count})`).join(', ')
    if (left !== '') lines.push(`left out fields of conversations: ${left}`)
  }
  if (otherFiles > 0) lines.push(`left out: ${otherFiles} other files of the zip`)
  for (const [what, count] of Object.entries(leftOut)) lines.push(`left out: ${count} ${what}`)
  return lines
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

function problemText({ line, where, message, id, reason, kind }: ImportProblem): string {
  const place = where ?? `line ${line}`
  if (kind === 'bad-line') return `${place} ${reason}`
  return `${place}, message ${message}${id === undefined ? '' : ` (id ${id})`}: ${reason}`
}

function exitCode(cli: CliContext, { report, failure }: ImportOutcome): ExitCode {
  if (cli.io.interrupt.aborted && report.stoppedAtLine !== undefined) return cli.interruptCode
  if (failure !== undefined) return exitCodeOf(failure)
  return report.badLines + report.messages.conflicts + report.messages.refused > 0
    ? EXIT.partial
    : EXIT.ok
}
