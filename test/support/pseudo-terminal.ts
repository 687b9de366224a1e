import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import xterm from '@xterm/headless'
import { expect, vi } from 'vitest'

const { Terminal } = xterm

export interface PseudoTerminalOptions {
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>>
  /** Default: 80. */
  readonly columns?: number
  /** Default: 50. */
  readonly rows?: number
}

/**
 * A program in a terminal of its own: keys go in, and what a person would see can be read. The pty is made
 * by `script` of util-linux, which every Debian has; the screen is drawn by xterm.
 */
export class PseudoTerminal {
  readonly #child: ChildProcess
  readonly #screen: InstanceType<typeof Terminal>
  readonly #ended: Promise<number | null>
  /** All that was written to the terminal, control characters included. */
  raw = ''

  constructor(command: string, options: PseudoTerminalOptions) {
    const { cwd, env = {}, columns = 80, rows = 50 } = options
    this.#screen = new Terminal({ cols: columns, rows, allowProposedApi: true })
    const line = `stty cols ${columns} rows ${rows}; exec ${command}`
    this.#child = spawn('script', ['-qefc', line, '--echo', 'always', '/dev/null'], {
      cwd,
      env: { PATH: process.env['PATH'] ?? '', TERM: 'xterm-256color', LANG: 'C.UTF-8', ...env },
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    this.#child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.raw += text
      this.#screen.write(text)
    })
    // Programs ask terminals what they are, and wait for the answer.
    this.#screen.onData((answer) => this.type(answer))
    this.#child.stdin!.on('error', () => {})
    this.#ended = once(this.#child, 'close').then(([code]) => code as number | null)
  }

  /** Presses these keys. */
  type(keys: string): void {
    this.#child.stdin!.write(keys)
  }

  /** What can be seen, line by line, without the empty end. */
  lines(): string[] {
    const { active } = this.#screen.buffer
    const all = Array.from({ length: active.length }, (_, row) =>
      active.getLine(row)!.translateToString(true),
    )
    return all.join('\n').trimEnd().split('\n')
  }

  text(): string {
    return this.lines().join('\n')
  }

  /** True where some character on the screen has a colour or is bold. */
  isColoured(): boolean {
    const { active } = this.#screen.buffer
    for (let row = 0; row < active.length; row++) {
      const line = active.getLine(row)!
      for (let column = 0; column < line.length; column++) {
        const cell = line.getCell(column)!
        if (!cell.isFgDefault() || cell.isBold() !== 0) return true
      }
    }
    return false
  }

  /** Waits until the screen shows this. */
  async shows(pattern: RegExp): Promise<void> {
    // A limit for what never comes.
    const patience = { timeout: 30_000, interval: 20 }
    await vi.waitFor(() => expect(this.text()).toMatch(pattern), patience)
  }

  /** Waits for the program to end; its exit code. */
  async end(): Promise<number | null> {
    const code = await this.#ended
    // What is still on its way to the screen.
    await new Promise<void>((resolve) => this.#screen.write('', resolve))
    return code
  }

  /** Ends the program, if it has not ended. */
  async stop(): Promise<void> {
    if (this.#child.exitCode === null) this.#child.kill('SIGKILL')
    await this.#ended
    this.#screen.dispose()
  }
}
