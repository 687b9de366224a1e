import type { Command } from 'commander'
import { nodeEnv } from '../../core/node-env.ts'
import type { CliContext } from '../cli-context.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { addExamples } from '../help/examples.ts'
import { printableLine } from '../output/printable.ts'
import { addWalLogsCommands } from './wal-logs-commands.ts'
import type { LogInspection } from '../wal/inspect-logs.ts'

interface InspectFlags {
  readonly json?: boolean
}

/** `everthread wal inspect DIR` */
export function addWalCommand(program: Command, cli: CliContext): void {
  const wal = program.command('wal').description('Look into write-ahead logs.')
  addExamples(wal, ['everthread wal inspect data/wal', 'everthread wal dead-letters'])
  addWalLogsCommands(wal, cli)
  const inspect = wal
    .command('inspect')
    .description('Tell what the logs in a directory have, without locking or changing them.')
    .argument('<directory>', 'of all logs, such as data/wal, or of one')
    .option('--json', 'print data as JSON')
    .action(async (directory: string, flags: InspectFlags) => {
      cli.exitCode = await runInspect(cli, directory, flags)
    })
  addExamples(inspect, [
    'everthread wal inspect data/wal',
    "everthread wal inspect data/wal --json | jq '.[].pending'",
  ])
}

async function runInspect(
  cli: CliContext,
  directory: string,
  { json = false }: InspectFlags,
): Promise<ExitCode> {
  const { inspectLogs } = await import('../wal/inspect-logs.ts')
  const logs = await inspectLogs(nodeEnv(), cli.path(directory))
  if (json) await cli.terminal.writeJson(logs)
  else for (const line of linesOf(logs, cli)) await cli.terminal.writeLine(line)
  return logs.some(({ damage }) => damage.length > 0) ? EXIT.failure : EXIT.ok
}

function linesOf(logs: readonly LogInspection[], { terminal }: CliContext): string[] {
  if (logs.length === 0) return ['There are no logs.']
  const rows = logs.map((log) => [
    printableLine(log.path.slice(log.path.lastIndexOf('/') + 1)),
    OWNERS[log.owner],
    String(log.segments.length),
    String(log.entries),
    String(log.pending.primary),
    String(log.pending.backup),
    String(log.deadLetters),
    stateOf(log),
  ])
  const heading = ['log', 'owner', 'segments', 'entries', 'for primary', 'for backup', 'refused']
  const damage = logs.flatMap((log) => log.damage)
  return [
    ...terminal.table([...heading, 'state'], rows, (row) =>
      logs[row]!.damage.length > 0 ? 'red' : undefined,
    ),
    ...damage.map(({ path, offset, reason }) =>
      terminal.colour('red', printableLine(`${path} at ${offset}: ${reason}`)),
    ),
  ]
}

const OWNERS: Readonly<Record<LogInspection['owner'], string>> = {
  alive: 'running',
  dead: 'dead, to be adopted',
  unknown: 'not known',
  free: 'none',
}

function stateOf({ damage, segments, owner, clean }: LogInspection): string {
  if (damage.length > 0) return 'damaged'
  if (segments.some(({ torn }) => torn)) return 'last write cut short'
  return owner === 'alive' ? 'open' : clean ? 'closed in order' : 'not closed'
}
