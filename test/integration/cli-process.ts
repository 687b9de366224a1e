import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { inject } from 'vitest'

export interface CliResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface CliOptions {
  readonly cwd: string
  readonly input?: string
  readonly env?: Readonly<Record<string, string>>
  /** Called with the process as soon as it runs. */
  readonly onStart?: (child: ChildProcess) => void
}

/** The package that the test files of a run share, compiled: children of Node 20 cannot run TypeScript. */
export class BuiltCli {
  readonly #folder = inject('builtPackage')!

  /** The library's own entry, for a program that imports it. */
  get entry(): string {
    return join(this.#folder, 'dist', 'index.js')
  }

  /** The command itself. */
  get main(): string {
    return join(this.#folder, 'dist', 'cli', 'main.js')
  }

  /** Runs one command line to its end. */
  async run(args: readonly string[], options: CliOptions): Promise<CliResult> {
    const child = this.start(args, options)
    let stdout = ''
    let stderr = ''
    child.stdout!.setEncoding('utf8').on('data', (text: string) => (stdout += text))
    child.stderr!.setEncoding('utf8').on('data', (text: string) => (stderr += text))
    options.onStart?.(child)
    const [code] = (await once(child, 'close')) as [number | null]
    return { code, stdout, stderr }
  }

  start(args: readonly string[], { cwd, input, env = {} }: CliOptions): ChildProcess {
    const child = spawn(process.execPath, [this.main, ...args], {
      cwd,
      env: { PATH: process.env['PATH'] ?? '', ...env },
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    })
    // A child that ends before it has read all of its input is for the test to judge.
    if (input !== undefined) child.stdin!.on('error', () => {}).end(input)
    return child
  }
}
