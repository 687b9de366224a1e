import { Option, type Command } from 'commander'
import type { DatabasePlace } from '../../core/places.ts'
import { messageOf } from '../../core/errors.ts'
import type { CliContext, StoreFlags } from '../cli-context.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { addExamples } from '../help/examples.ts'
import { isForPeople, LAYOUTS, type LayoutName } from '../layout/layout-of.ts'
import { Progress } from '../output/progress.ts'
import { cipherOf } from '../settings/cipher-of.ts'
import { databaseOf } from '../settings/database-of.ts'
import { refuseDatabaseFile } from '../settings/refuse-database-file.ts'
import { DEFAULT_DATABASES } from '../settings/settings.ts'
import { addStoreOptions } from '../store-options.ts'
import type { ConversationSource } from '../transfer/conversation-source.ts'
import { exportConversations } from '../transfer/export-conversations.ts'
import type { ExportReport } from '../transfer/export-report.ts'
import { encryptingSink } from '../transfer/encrypted-lines.ts'
import {
  fileSink,
  partialOf,
  standardOutputSink,
  type ExportSink,
} from '../transfer/export-sink.ts'
import { UsageError } from '../usage-error.ts'
import { withPlaceSource, type PlaceSourceOptions } from '../transfer/place-source.ts'
import { retry } from '../transfer/retry.ts'
import { StoreSource } from '../transfer/store-source.ts'
import { seconds } from './parse-number.ts'

/** Damaged parts that are named; `--json` lists all. */
const DAMAGED_NAMED_MAX = 20

interface ExportFlags extends StoreFlags {
  readonly json?: boolean
  readonly conversation: readonly string[]
  readonly output?: string
  readonly encrypt?: boolean
  readonly withContent?: boolean
  readonly from?: DatabasePlace
  readonly format: LayoutName
  readonly retryFor: number
}

/** `everthread export` */
export function addExportCommand(program: Command, cli: CliContext): void {
  const command = program
    .command('export')
    .description('Write conversations in the order they began: JSONL, Markdown or HTML.')
    .option('--conversation <id>', 'only this one; may be repeated', gather, [])
    .option('--output <file>', 'write to a file, which appears once it is whole')
    .option('--encrypt', 'encrypt each line with the newest key; import decrypts it')
    .option('--with-content', 'also the large content that messages refer to')
    .addOption(
      new Option(
        '--from <place>',
        'read one database alone, without the other and the log',
      ).choices(['primary', 'backup']),
    )
    .addOption(
      new Option('--format <form>', 'JSONL (openai, everthread: names of the fields), or to read')
        .choices(LAYOUTS)
        .default('openai'),
    )
    .option('--retry-for <seconds>', 'how long a read is repeated during an outage', seconds, 60)
  addExamples(command, [
    'everthread export --output conversations.jsonl',
    'everthread export --conversation order-4711 --conversation order-4712',
    'everthread export --from backup --format everthread | gzip > backup.jsonl.gz',
  ])
  addStoreOptions(command).action(async (flags: ExportFlags) => {
    cli.exitCode = await runExport(cli, flags)
  })
}

function gather(value: string, before: readonly string[]): readonly string[] {
  return [...before, value]
}

async function runExport(cli: CliContext, flags: ExportFlags): Promise<ExitCode> {
  if (flags.encrypt === true && isForPeople(flags.format)) {
    throw new UsageError(`--encrypt is for lines that an import reads, not for ${flags.format}`)
  }
  const { from, withContent = false } = flags
  if (withContent && (from !== undefined || isForPeople(flags.format))) {
    const what = from === undefined ? flags.format : '--from'
    throw new UsageError(`--with-content is for lines of the whole store, not for ${what}`)
  }
  const report =
    from === undefined
      ? await cli.withStore(flags, (history, { tenant = '' }) => {
          const again = <T>(action: () => Promise<T>): Promise<T> => withRetry(cli, flags, action)
          return exportFrom(new StoreSource({ history, tenant, retry: again }), cli, flags)
        })
      : await withPlaceSource(await placeOptions(from, cli, flags), (source) =>
          exportFrom(source, cli, flags),
        )
  await tell(cli, report, flags)
  if (report.stoppedAt !== undefined) return cli.interruptCode
  if (report.damaged.length > 0) return EXIT.damaged
  return report.missing.length > 0 || !report.complete ? EXIT.partial : EXIT.ok
}

async function placeOptions(
  place: DatabasePlace,
  cli: CliContext,
  flags: ExportFlags,
): Promise<PlaceSourceOptions> {
  const settings = await cli.settings(flags)
  return {
    place,
    database: settings[place] ?? DEFAULT_DATABASES[place],
    ...(settings.encryption !== undefined && { decrypted: databaseOf(settings, place) }),
    tenant: settings.tenant ?? '',
  }
}

async function withRetry<T>(
  { terminal, io }: CliContext,
  { retryFor }: ExportFlags,
  action: () => Promise<T>,
): Promise<T> {
  return await retry(action, {
    retryForMs: retryFor * 1000,
    signal: io.interrupt,
    onRetry: (error, delayMs) =>
      terminal.note(`everthread: ${messageOf(error)}; trying again in ${Math.ceil(delayMs)} ms`),
  })
}

async function sinkOf(cli: CliContext, flags: ExportFlags): Promise<ExportSink> {
  const { output, encrypt = false } = flags
  const cipher = encrypt ? await cipherOf(await cli.settings(flags)) : undefined
  if (encrypt && cipher === undefined) {
    throw new UsageError(
      '--encrypt needs keys: EVERTHREAD_ENCRYPTION_KEYS, or encryption in a configuration file',
    )
  }
  const sink =
    output === undefined ? standardOutputSink(cli.terminal) : await outputFile(cli, flags)
  return cipher === undefined ? sink : encryptingSink(sink, cipher)
}

async function outputFile(cli: CliContext, flags: ExportFlags): Promise<ExportSink> {
  const path = cli.path(flags.output!)
  const settings = await cli.settings(flags)
  for (const written of [path, partialOf(path)]) await refuseDatabaseFile(written, settings)
  return await fileSink(path)
}

async function exportFrom(
  source: ConversationSource,
  cli: CliContext,
  flags: ExportFlags,
): Promise<ExportReport> {
  cli.endsItself = true
  const { conversation, format, withContent = false } = flags
  const sink = await sinkOf(cli, flags)
  const progress = new Progress(cli.io.stderr)
  let report: ExportReport
  try {
    report = await exportConversations({
      source,
      conversations: conversation,
      format,
      withContent,
      write: (text) => sink.write(text),
      signal: cli.io.interrupt,
      onProgress: ({ done, total, messages }) =>
        progress.update(() => ({ fraction: done / total, text: `${messages} messages` })),
    })
  } catch (error) {
    progress.clear()
    await sink.abandon()
    throw error
  }
  progress.clear()
  if (report.stoppedAt === undefined) await sink.finish()
  else await sink.abandon()
  return report
}

/** The summary goes to standard error when the data went to standard output. */
async function tell(
  { terminal }: CliContext,
  report: ExportReport,
  { json = false, output }: ExportFlags,
): Promise<void> {
  for (const id of report.missing) {
    terminal.note(`everthread: there is no conversation ${JSON.stringify(id)}`)
  }
  for (const { conversationId, id, content } of report.damaged.slice(0, DAMAGED_NAMED_MAX)) {
    const what = content ?? (id === undefined ? 'the rest' : `message ${JSON.stringify(id)}`)
    const where = `of conversation ${JSON.stringify(conversationId)}`
    terminal.note(`everthread: ${what} ${where} is damaged in every database, and was left out`)
  }
  if (report.damaged.length > DAMAGED_NAMED_MAX) {
    terminal.note(`everthread: and ${report.damaged.length - DAMAGED_NAMED_MAX} more`)
  }
  if (!report.complete) {
    terminal.note(
      'everthread: the export may lack the latest messages of other processes: a database is out ' +
        'or is catching up. Export again once `everthread status` is good.',
    )
  }
  if (report.stoppedAt !== undefined) {
    const where = output === undefined ? 'before' : 'and removed the file; it was at'
    terminal.note(
      `everthread: interrupted ${where} conversation ${JSON.stringify(report.stoppedAt)}`,
    )
  }
  if (output !== undefined && json) await terminal.writeJson(report)
  else terminal.note(summary(report, json))
}

function summary(report: ExportReport, json: boolean): string {
  if (json) return JSON.stringify(report)
  const { conversations, messages, contents, seconds: spent } = report
  const beside = contents === 0 ? '' : `, ${contents} contents`
  return `${conversations} conversations, ${messages} messages${beside} in ${spent.toFixed(1)} s`
}
