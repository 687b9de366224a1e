import { PassThrough, Writable } from 'node:stream'
import type { OutputStream } from '../../src/cli/output/terminal.ts'
import { runCli } from '../../src/cli/run-cli.ts'

export interface CliRun {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface CliRunOptions {
  readonly cwd: string
  readonly variables?: Readonly<Record<string, string>>
  /** Given: standard output and error are a terminal that is this wide. */
  readonly columns?: number
  /** Stands for Ctrl-C. */
  readonly interrupt?: AbortSignal
  /** Called with what was written to standard output. */
  readonly onOutput?: (text: string) => void
}

/** Runs one command line in this process: a command that costs no start of Node. */
export async function runCliHere(
  args: readonly string[],
  { cwd, variables = {}, columns, interrupt, onOutput }: CliRunOptions,
): Promise<CliRun> {
  const stdout = gathering(columns, onOutput)
  const stderr = gathering(columns)
  const code = await runCli(args, {
    stdin: new PassThrough(),
    stdout,
    stderr,
    variables,
    cwd,
    interrupt: interrupt ?? new AbortController().signal,
  })
  return { code, stdout: stdout.text(), stderr: stderr.text() }
}

function gathering(
  columns: number | undefined,
  onOutput?: (text: string) => void,
): OutputStream & { text(): string } {
  const chunks: string[] = []
  const stream = new Writable({
    decodeStrings: false,
    write(chunk: string, _encoding, done) {
      chunks.push(chunk)
      onOutput?.(chunks.join(''))
      done()
    },
  })
  const isTTY = columns !== undefined
  return Object.assign(stream, { isTTY, ...(isTTY && { columns }), text: () => chunks.join('') })
}
