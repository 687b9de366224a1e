import type { Command } from 'commander'
import type { ChatHistory } from '../../chat/chat-history.ts'
import { nodeEnv } from '../../core/node-env.ts'
import { DATABASE_PLACES, type DatabasePlace } from '../../core/places.ts'
import type { ReconcileProgress, ReconcileReport } from '../../sync/reconcile-report.ts'
import type { PassOptions } from '../../sync/reconciler.ts'
import type { CliContext, StoreFlags } from '../cli-context.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { printableLine } from '../output/printable.ts'
import { Progress } from '../output/progress.ts'
import { databaseOf } from '../settings/database-of.ts'
import { DEFAULT_DATABASES } from '../settings/settings.ts'
import { addStoreOptions } from '../store-options.ts'
import { checkThere } from '../transfer/place-source.ts'
import { wholeNumber } from './parse-number.ts'

/** The options that every command has which goes over both databases. */
export interface PassFlags extends StoreFlags {
  readonly json?: boolean
  readonly dryRun?: boolean
  readonly rowsPerSecond?: number
}

/** Adds those options, and what runs. The exit code follows from the report. */
export function addPassOptions(command: Command): Command {
  return addStoreOptions(
    command.option(
      '--rows-per-second <n>',
      'rows that are read and written in a second, at most',
      wholeNumber(1, 1_000_000_000),
    ),
  )
}

/** Compares the two databases alone: no log is opened and nothing is written. */
export async function runVerify(
  cli: CliContext,
  flags: PassFlags,
  options: {
    readonly deep: boolean
    readonly into?: DatabasePlace
    readonly olderThanMs?: number
  },
): Promise<ExitCode> {
  const settings = await cli.settings(flags)
  const { primary, backup, encryption } = settings
  const given = {
    primary: primary ?? DEFAULT_DATABASES.primary,
    backup: backup ?? DEFAULT_DATABASES.backup,
  }
  for (const place of DATABASE_PLACES) await checkThere(place, given[place])
  // A deep look must see what the store would read.
  const configs =
    encryption === undefined ? given : { ...given, backup: databaseOf(settings, 'backup') }
  // Loaded late: `--help` and mistakes need no store.
  const { verifyPlaces } = await import('../../store/verify-places.ts')
  const env = nodeEnv({ logger: cli.logger(flags) })
  const { into, ...verify } = options
  const report = await watched(cli, flags, async (pass) => {
    return await verifyPlaces(env, configs, { ...pass, ...verify })
  })
  if (report === undefined) return cli.interruptCode
  const isLeft = differencesIn(report, into) > 0 || report.damaged > 0
  return isLeft ? EXIT.partial : EXIT.ok
}

/** Opens the store, which does nothing by itself, and runs one pass. */
export async function runPass(
  cli: CliContext,
  flags: PassFlags,
  run: (history: ChatHistory, options: PassOptions) => Promise<ReconcileReport>,
): Promise<ExitCode> {
  const report = await watched(cli, flags, async (pass) =>
    cli.withStore(flags, async (history) => await run(history, pass), { reconcile: 'on-demand' }),
  )
  if (report === undefined) return cli.interruptCode
  const isLeft = report.rejected > 0 || report.damaged > report.repaired
  return isLeft ? EXIT.partial : EXIT.ok
}

/** Draws the progress and prints the report; undefined when the user has interrupted the pass. */
async function watched(
  cli: CliContext,
  flags: PassFlags,
  run: (options: PassOptions) => Promise<ReconcileReport>,
): Promise<ReconcileReport | undefined> {
  const { rowsPerSecond, json, dryRun } = flags
  const progress = new Progress(cli.io.stderr)
  const onProgress = (state: ReconcileProgress): void => progress.update(() => drawn(state))
  cli.endsItself = true
  let report: ReconcileReport
  try {
    report = await run({
      onProgress,
      signal: cli.io.interrupt,
      ...(rowsPerSecond !== undefined && { rowsPerSecond }),
    })
  } catch (error) {
    progress.clear()
    if (!cli.io.interrupt.aborted) throw error
    cli.terminal.note('Interrupted: what was copied stays; run it again for the rest.')
    return undefined
  }
  progress.clear()
  if (json === true) {
    await cli.terminal.writeJson(dryRun === true ? { dryRun: true, ...report } : report)
  } else for (const line of linesOf(report, cli)) await cli.terminal.writeLine(line)
  return report
}

/** What a place lacks, or either of them. */
function differencesIn(report: ReconcileReport, into?: DatabasePlace): number {
  const { missingInPrimary, missingInBackup, differing } = report
  const inPrimary = into === 'backup' ? 0 : missingInPrimary
  return inPrimary + (into === 'primary' ? 0 : missingInBackup) + differing
}

function drawn({ compared, total, copied }: ReconcileProgress): {
  readonly fraction?: number
  readonly text: string
} {
  const text = `${compared} rows compared${copied === 0 ? '' : `, ${copied} copied`}`
  return total === 0 ? { text } : { fraction: compared / total, text }
}

function linesOf(report: ReconcileReport, { terminal }: CliContext): string[] {
  const { damagedRows } = report
  const rows: readonly (readonly [string, number])[] = [
    ['rows compared', report.compared],
    ['missing in primary', report.missingInPrimary],
    ['missing in backup', report.missingInBackup],
    ['differing', report.differing],
    ['conflicts', report.conflicts],
    ['copied', report.copied],
    ['rejected', report.rejected],
    ['damaged', report.damaged],
    ['repaired', report.repaired],
    ['rows read', report.rowsRead],
    ['bytes read', report.bytesRead],
    ['bytes written', report.bytesWritten],
  ]
  const width = Math.max(...rows.map(([name]) => name.length))
  const lines = rows.map(([name, count]) => `${name.padEnd(width)}  ${count}`)
  lines.push(`${'seconds'.padEnd(width)}  ${(report.durationMs / 1000).toFixed(1)}`)
  if (damagedRows.length === 0) return lines
  const cells = damagedRows.map(({ place, key, id, name, part, position = '', repaired }) => [
    place,
    printableLine(key),
    printableLine(id ?? name ?? ''),
    part,
    position,
    repaired ? 'repaired' : 'damaged',
  ])
  return [
    ...lines,
    '',
    ...terminal.table(['place', 'key', 'id', 'part', 'position', 'state'], cells),
  ]
}
