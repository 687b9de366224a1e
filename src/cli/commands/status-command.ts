import type { Command } from 'commander'
import { DATABASE_PLACES } from '../../core/operation.ts'
import type { PlaceStatus, StoreStatus } from '../../store/status.ts'
import type { CliContext, StoreFlags } from '../cli-context.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { table } from '../output/table.ts'
import { addStoreOptions } from '../store-options.ts'

interface StatusFlags extends StoreFlags {
  readonly json?: boolean
}

/** `everthread status` */
export function addStatusCommand(program: Command, cli: CliContext): void {
  const command = program
    .command('status')
    .description('Open the store and tell how each place is.')
  addStoreOptions(command).action(async (flags: StatusFlags) => {
    cli.exitCode = await runStatus(cli, flags)
  })
}

async function runStatus(cli: CliContext, flags: StatusFlags): Promise<ExitCode> {
  const { terminal } = cli
  const status = await cli.withStore(flags, async (history) => history.status())
  if (flags.json === true) await terminal.writeJson(status)
  else for (const line of linesOf(status, cli)) await terminal.writeLine(line)
  switch (status.overall) {
    case 'ok':
      return EXIT.ok
    case 'degraded':
      return EXIT.partial
    case 'down':
      return EXIT.unavailable
  }
}

function linesOf(status: StoreStatus, { terminal }: CliContext): string[] {
  const { places, wal, strategies } = status
  const colour = status.overall === 'ok' ? 'green' : status.overall === 'down' ? 'red' : 'yellow'
  const rows = DATABASE_PLACES.map((name) => [name, ...cellsOf(places[name])])
  const lines = [
    `overall   ${terminal.colour(colour, status.overall)}`,
    `read      ${strategies.read}`,
    `write     ${strategies.write}`,
    '',
    ...table(
      ['place', 'type', 'state', 'durable', 'pending', 'lag', 'p95', 'remarks'],
      [
        ...rows,
        [
          'wal',
          wal.type,
          wal.state,
          wal.durable ? 'yes' : 'no',
          String(wal.entries),
          '',
          '',
          wal.reasons.join('; '),
        ],
      ],
    ),
  ]
  if (status.foreignHints > 0) {
    lines.push('', `${status.foreignHints} other processes have changes for the primary.`)
  }
  return lines
}

function cellsOf(place: PlaceStatus): string[] {
  const state = !place.connected ? 'not connected' : place.healthy ? 'healthy' : 'unhealthy'
  const remarks = [...place.reasons, ...(place.lastError === undefined ? [] : [place.lastError])]
  return [
    place.type,
    place.circuit === 'closed' ? state : `${state}, circuit ${place.circuit}`,
    place.durable ? 'yes' : 'no',
    String(place.pending),
    `${(place.lagMs / 1000).toFixed(1)} s`,
    `${place.latency.p95.toFixed(1)} ms`,
    remarks.join('; '),
  ]
}
