import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

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

/** The package, compiled into a folder of its own: children of Node 20 cannot run TypeScript. */
export class BuiltCli {
  readonly #folder: string

  private constructor(folder: string) {
    this.#folder = folder
  }

  static async build(): Promise<BuiltCli> {
    // Below node_modules, where its dependencies are found and nobody lints it.
    const cache = join(ROOT, 'node_modules', '.cache')
    await mkdir(cache, { recursive: true })
    const folder = await mkdtemp(join(cache, 'everthread-cli-'))
    await cp(join(ROOT, 'package.json'), join(folder, 'package.json'))
    const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc')
    const args = [tsc, '-p', join(ROOT, 'tsconfig.build.json'), '--outDir', join(folder, 'dist')]
    // Types are the business of `npm run check`; here only the JavaScript is wanted, soon.
    args.push('--noCheck', '--declaration', 'false', '--isolatedDeclarations', 'false')
    const { status, stdout } = spawnSync(process.execPath, args, { encoding: 'utf8' })
    if (status !== 0) throw new Error(`tsc failed: ${stdout}`)
    // As it is published: what is found by its path must be found there too.
    const bundle = join(ROOT, 'scripts', 'bundle.mjs')
    const made = spawnSync(process.execPath, [bundle, join(folder, 'dist')], { encoding: 'utf8' })
    if (made.status !== 0) throw new Error(`bundling failed: ${made.stderr}`)
    return new BuiltCli(folder)
  }

  /** The library's own entry, for a program that imports it. */
  get entry(): string {
    return join(this.#folder, 'dist', 'index.js')
  }

  /** The command itself. */
  get main(): string {
    return join(this.#folder, 'dist', 'cli', 'main.js')
  }

  async remove(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true })
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
