import { Option, type Command } from 'commander'
import { createDatabase } from '../../backend/registry.ts'
import type { DatabaseSource } from '../../backend/sources.ts'
import { isoTime } from '../../core/iso-time.ts'
import { nodeEnv } from '../../core/node-env.ts'
import { parseConversationKey } from '../../chat/keys.ts'
import type { CliContext, StoreFlags } from '../cli-context.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { addExamples } from '../help/examples.ts'
import { printableLine } from '../output/printable.ts'
import { Progress } from '../output/progress.ts'
import { DATABASE_PLACES, type DatabasePlace } from '../../core/places.ts'
import { cipherOf } from '../settings/cipher-of.ts'
import { databaseOf } from '../settings/database-of.ts'
import type { Settings } from '../settings/settings.ts'
import { hasPassword } from '../settings/has-password.ts'
import { addStoreOptions } from '../store-options.ts'
import { UsageError } from '../usage-error.ts'
import type { LetterOnDisk } from '../wal/read-logs.ts'

interface VerifyFlags {
  readonly json?: boolean
}

interface ReplayFlags extends StoreFlags {
  readonly json?: boolean
  readonly dryRun?: boolean
  readonly to: string
  readonly as?: DatabasePlace
}

interface LettersFlags extends StoreFlags {
  readonly json?: boolean
  readonly resend?: boolean
}

/** `everthread wal verify|replay|dead-letters DIR` */
export function addWalLogsCommands(wal: Command, cli: CliContext): void {
  const verify = wal
    .command('verify')
    .description('Read and decode every entry of the logs in a directory; nothing is changed.')
    .argument('<directory>', 'of all logs, such as data/wal, or of one')
    .option('--json', 'print data as JSON')
    .action(async (directory: string, flags: VerifyFlags) => {
      cli.exitCode = await runVerify(cli, directory, flags)
    })
  addExamples(verify, ['everthread wal verify data/wal', 'everthread wal verify data/wal --json'])
  const replay = wal
    .command('replay')
    .description('Merge all that the logs in a directory have into a database; the logs stay.')
    .argument('<directory>', 'of all logs, such as data/wal, or of one')
    .requiredOption(
      '--to <url>',
      'the database: a URL, or primary or backup for that of the settings',
    )
    .addOption(
      new Option('--as <place>', 'with keys and a URL: write values plain or encrypted').choices(
        DATABASE_PLACES,
      ),
    )
    .option('--dry-run', 'count what there is and connect to nothing')
  addExamples(replay, [
    'everthread wal replay data/wal --to primary --dry-run',
    'everthread wal replay data/wal --to backup',
    'everthread wal replay data/wal --to sqlite:./rescued.db',
  ])
  addStoreOptions(replay).action(async (directory: string, flags: ReplayFlags) => {
    cli.exitCode = await runReplay(cli, directory, flags)
  })
  const letters = wal
    .command('dead-letters')
    .description('List the entries that a database refused for good.')
    .argument(
      '[directory]',
      'of all logs, such as data/wal, or of one; without it, the log of --wal',
    )
    .option('--resend', 'open the store and send them once more, when their cause is mended')
  addExamples(letters, [
    'everthread wal dead-letters data/wal',
    'everthread wal dead-letters --wal redis-stream://localhost:6379 --resend',
  ])
  addStoreOptions(letters).action(async (directory: string | undefined, flags: LettersFlags) => {
    cli.exitCode = await runLetters(cli, directory, flags)
  })
}

async function runVerify(
  cli: CliContext,
  directory: string,
  { json = false }: VerifyFlags,
): Promise<ExitCode> {
  const { logsIn, readEntries, readLetters } = await import('../wal/read-logs.ts')
  const env = nodeEnv()
  const progress = new Progress(cli.io.stderr)
  const logs = []
  for (const log of await logsIn(env, cli.path(directory))) {
    let entries = 0
    const damage = [
      ...(await readEntries(env, log, async (found) => {
        entries += found.length
        progress.update(() => ({ text: `${entries} entries` }))
      })),
    ]
    const deadLetters = (await readLetters(env, log, (found) => damage.push(found))).length
    logs.push({ path: log.path, owner: log.owner, entries, deadLetters, damage })
  }
  progress.clear()
  if (json) await cli.terminal.writeJson(logs)
  else {
    for (const { path, owner, entries, deadLetters, damage } of logs) {
      const state = damage.length === 0 ? cli.terminal.colour('green', 'good') : 'DAMAGED'
      const running =
        owner === 'alive' || owner === 'unknown'
          ? ', in use: its last write may look cut short'
          : ''
      await cli.terminal.writeLine(
        `${state}  ${printableLine(path)}: ${entries} entries, ${deadLetters} dead letters${running}`,
      )
      for (const { path: file, offset, reason } of damage) {
        const line = printableLine(`  ${file} at ${offset}: ${reason}`)
        await cli.terminal.writeLine(cli.terminal.colour('red', line))
      }
    }
    if (logs.length === 0) await cli.terminal.writeLine('There are no logs.')
  }
  return logs.some(({ damage }) => damage.length > 0) ? EXIT.failure : EXIT.ok
}

async function runReplay(
  cli: CliContext,
  directory: string,
  flags: ReplayFlags,
): Promise<ExitCode> {
  if (hasPassword(flags.to)) {
    throw new UsageError(
      '--to has a password, which other users of this machine could see: use --to primary or --to backup',
    )
  }
  const { logsIn } = await import('../wal/read-logs.ts')
  const { replayLogs } = await import('../wal/replay-logs.ts')
  const settings = await cli.settings(flags)
  const env = nodeEnv({ logger: cli.logger(flags) })
  const logs = await logsIn(env, cli.path(directory))
  const cipher = await cipherOf(settings)
  const source = targetOf(settings, flags)
  const target = flags.dryRun === true ? undefined : await createDatabase(source, env, 'to')
  const progress = new Progress(cli.io.stderr)
  try {
    await target?.connect()
    const report = await replayLogs(env, logs, target, cipher, (entries) =>
      progress.update(() => ({ text: `${entries} entries` })),
    )
    progress.clear()
    const { entries, operations, rejected, damage } = report
    if (flags.json === true)
      await cli.terminal.writeJson({ dryRun: target === undefined, ...report })
    else {
      const done = target === undefined ? 'Would merge' : 'Merged'
      await cli.terminal.writeLine(
        `${done} ${entries} entries (${operations} operations) of ${logs.length} logs.`,
      )
      for (const { lsn, reason } of rejected) cli.terminal.note(`refused: entry ${lsn}: ${reason}`)
      for (const { path, offset, reason } of damage) {
        cli.terminal.note(`damaged: ${path} at ${offset}: ${reason}`)
      }
    }
    return rejected.length > 0 || damage.length > 0 ? EXIT.partial : EXIT.ok
  } finally {
    progress.clear()
    await target?.disconnect()
  }
}

/** Where values go. With keys those of a primary are plain, and those of a backup are not. */
function targetOf(settings: Settings, { to, as }: ReplayFlags): DatabaseSource {
  const place = DATABASE_PLACES.find((name) => name === to)
  if (place !== undefined) {
    if (as !== undefined) throw new UsageError(`--as is for a URL: --to ${to} says it already`)
    return databaseOf(settings, place)
  }
  if (as !== undefined) return databaseOf({ ...settings, [as]: to }, as)
  if (settings.encryption === undefined) return to
  throw new UsageError(
    'with keys --to URL needs --as primary, which writes plain values, or --as backup, which encrypts them',
  )
}

async function runLetters(
  cli: CliContext,
  directory: string | undefined,
  flags: LettersFlags,
): Promise<ExitCode> {
  if (directory !== undefined && flags.wal !== undefined) {
    throw new UsageError('wal dead-letters takes a directory or --wal, not both')
  }
  const wal = directory === undefined ? {} : { wal: `file:${directory}` }
  if (flags.resend === true) return await runResend(cli, { ...flags, ...wal })
  return directory === undefined
    ? await listInStore(cli, flags)
    : await listOnDisk(cli, directory, flags)
}

/** Of the log that the settings name, which is opened: a shared one tells what all processes know. */
async function listInStore(cli: CliContext, flags: LettersFlags): Promise<ExitCode> {
  const found = await cli.withStore(flags, (history) => history.store.listQuarantined(), {
    reconcile: 'on-demand',
  })
  const shown = found.map(({ place, reason, keys }) => ({
    place,
    reason,
    conversations: keys.map(nameOf),
  }))
  if (flags.json === true) await cli.terminal.writeJson(shown)
  else {
    const rows = shown.map(({ place, conversations, reason }) => [
      place,
      conversations.join(', '),
      reason,
    ])
    const heading = ['refused by', 'conversation', 'reason']
    for (const line of rows.length === 0
      ? ['There are none.']
      : cli.terminal.table(heading, rows)) {
      await cli.terminal.writeLine(line)
    }
  }
  return shown.length === 0 ? EXIT.ok : EXIT.partial
}

async function listOnDisk(
  cli: CliContext,
  directory: string,
  flags: LettersFlags,
): Promise<ExitCode> {
  const { logsIn, readLetters } = await import('../wal/read-logs.ts')
  const env = nodeEnv()
  const found: (LetterOnDisk & { readonly log: string })[] = []
  for (const log of await logsIn(env, cli.path(directory))) {
    const letters = await readLetters(env, log, ({ path, offset, reason }) =>
      cli.terminal.note(`damaged: ${path} at ${offset}: ${reason}`),
    )
    for (const letter of letters) found.push({ log: log.path, ...letter })
  }
  const shown = found.map(({ log, place, lsn, atMs, reason, operations }) => ({
    log,
    place,
    lsn,
    at: isoTime(atMs),
    reason,
    conversations: [...new Set(operations.map(({ key }) => nameOf(key)))],
  }))
  if (flags.json === true) await cli.terminal.writeJson(shown)
  else {
    const rows = shown.map(({ place, lsn, at, conversations, reason }) => [
      place,
      String(lsn),
      at,
      conversations.join(', '),
      reason,
    ])
    const lines =
      rows.length === 0
        ? ['There are none.']
        : cli.terminal.table(['refused by', 'entry', 'at', 'conversation', 'reason'], rows)
    for (const line of lines) await cli.terminal.writeLine(line)
  }
  return shown.length === 0 ? EXIT.ok : EXIT.partial
}

/** Opening the store takes over the logs that nobody has open; those of running processes stay theirs. */
async function runResend(cli: CliContext, flags: LettersFlags): Promise<ExitCode> {
  const result = await cli.withStore(flags, async (history) => {
    const resent = await history.store.retryQuarantined()
    await history.flush().catch(() => undefined)
    const { primary, backup } = history.status().places
    return { resent, refused: primary.quarantined + backup.quarantined }
  })
  if (flags.json === true) await cli.terminal.writeJson(result)
  else {
    await cli.terminal.writeLine(
      `Sent ${result.resent} entries again; ${result.refused} are refused still.`,
    )
  }
  return result.refused === 0 ? EXIT.ok : EXIT.partial
}

/** The conversation that a key is of; other keys as they are. */
function nameOf(key: string): string {
  const parsed = parseConversationKey(key)
  if (parsed === undefined) return key
  const { tenant, conversationId } = parsed
  return tenant === '' ? conversationId : `${tenant}/${conversationId}`
}
