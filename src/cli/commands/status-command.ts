import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'
import type { ChatHistory } from '../../chat/chat-history.ts'
import type { StoreStatus } from '../../store/status.ts'
import type { CliContext, StoreFlags } from '../cli-context.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { addExamples } from '../help/examples.ts'
import { statusLines } from '../output/status-lines.ts'
import { addStoreOptions } from '../store-options.ts'
import { seconds } from './parse-number.ts'

interface StatusFlags extends StoreFlags {
  readonly json?: boolean
  readonly watch?: boolean
  readonly interval: number
}

/** Cursor to the first line, and everything from there on away. */
const REDRAW = '\u001b[H\u001b[J'
const INTERVAL_SECONDS = 2
/** A terminal that is drawn more often than this is not easier to read. */
const INTERVAL_MS_MIN = 100

/** `everthread status` */
export function addStatusCommand(program: Command, cli: CliContext): void {
  const command = program
    .command('status')
    .description('Open the store and tell how each place is.')
    .option('--watch', 'go on until Ctrl-C; with --json a document for each look')
    .option('--interval <seconds>', 'between two looks of --watch', seconds, INTERVAL_SECONDS)
  addExamples(command, [
    'everthread status',
    'everthread status --watch --interval 5',
    'everthread status --json | jq .overall',
  ])
  addStoreOptions(command).action(async (flags: StatusFlags) => {
    cli.exitCode = await runStatus(cli, flags)
  })
}

async function runStatus(cli: CliContext, flags: StatusFlags): Promise<ExitCode> {
  cli.endsItself = flags.watch === true
  const look = async (history: ChatHistory): Promise<StoreStatus> => {
    if (flags.watch === true) await watch(cli, history, flags)
    return history.status()
  }
  // A place that cannot be used is what it is to tell of.
  const status = await cli.withStore(flags, look, { allowDegradedStart: true })
  if (flags.watch === true) return cli.io.interrupt.aborted ? cli.interruptCode : EXIT.ok
  await print(cli, status, flags)
  switch (status.overall) {
    case 'ok':
      return EXIT.ok
    case 'degraded':
      return EXIT.partial
    case 'down':
      return EXIT.unavailable
  }
}

async function watch(cli: CliContext, history: ChatHistory, flags: StatusFlags): Promise<void> {
  const { interrupt, stdout } = cli.io
  const pauseMs = Math.max(INTERVAL_MS_MIN, flags.interval * 1000)
  while (!interrupt.aborted && !cli.terminal.isClosed) {
    const isDrawn = stdout.isTTY === true && flags.json !== true
    if (isDrawn) await cli.terminal.write(REDRAW)
    await print(cli, history.status(), flags)
    if (isDrawn) await cli.terminal.writeLine(`\n${new Date().toISOString()}, Ctrl-C ends`)
    // Aborted by Ctrl-C, which is how this ends.
    await sleep(pauseMs, undefined, { signal: interrupt }).catch(() => undefined)
  }
}

async function print(
  { terminal }: CliContext,
  status: StoreStatus,
  { json = false }: StatusFlags,
): Promise<void> {
  if (json) await terminal.writeJson(status)
  else for (const line of statusLines(status, terminal)) await terminal.writeLine(line)
}
