import { CommanderError } from 'commander'
import { messageOf, isStorageError } from '../core/errors.ts'
import { CliContext, type CliIo } from './cli-context.ts'
import { EXIT, exitCodeOf, type ExitCode } from './exit-codes.ts'
import { OutputClosed } from './output/output-closed.ts'
import { createProgram } from './program.ts'

/** Runs one command line and resolves with its exit code. It never rejects. */
export async function runCli(args: readonly string[], io: CliIo): Promise<ExitCode> {
  const cli = new CliContext(io)
  const json = args.includes('--json')
  try {
    const program = createProgram(cli, { json })
    await Promise.race([program.parseAsync([...args], { from: 'user' }), interrupted(cli)])
    return cli.exitCode
  } catch (error) {
    return report(error, cli, json)
  }
}

/**
 * Resolves when the user interrupts a command that does not care: it is cut off where it is, which
 * a store stands by design. A command that does care ends by itself, soon.
 */
async function interrupted(cli: CliContext): Promise<void> {
  const { interrupt } = cli.io
  await new Promise<void>((resolve) => {
    if (interrupt.aborted) resolve()
    else interrupt.addEventListener('abort', () => resolve(), { once: true })
  })
  if (cli.endsItself) await new Promise<never>(() => {})
  cli.exitCode = cli.interruptCode
}

function report(error: unknown, cli: CliContext, json: boolean): ExitCode {
  if (error instanceof OutputClosed) return EXIT.ok
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return EXIT.ok
    // Without `json` it has been said already.
    if (json) noteJson(cli, { message: error.message.replace(/^error: /, '') })
    return EXIT.usage
  }
  // The library names its option: here it is a flag.
  const message = messageOf(error).replace('allowDegradedStart: true', '--allow-degraded-start')
  if (json) {
    const code = isStorageError(error) ? { code: error.code, effect: error.effect } : {}
    noteJson(cli, { ...code, message })
  } else {
    cli.terminal.note(`everthread: ${message}`, 'red')
  }
  return exitCodeOf(error)
}

function noteJson({ terminal }: CliContext, error: object): void {
  terminal.note(JSON.stringify({ error }))
}
