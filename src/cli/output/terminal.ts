import type { Writable } from 'node:stream'
import { redactText } from '../../core/redact.ts'
import type { Variables } from '../settings/read-environment.ts'
import { OutputClosed } from './output-closed.ts'
import { printable } from './printable.ts'

export type Colour = 'bold' | 'dim' | 'green' | 'red' | 'yellow'

const CODES: Readonly<Record<Colour, readonly [number, number]>> = {
  bold: [1, 22],
  dim: [2, 22],
  green: [32, 39],
  red: [31, 39],
  yellow: [33, 39],
}

export type OutputStream = Writable & { readonly isTTY?: boolean }

export interface TerminalOptions {
  readonly stdout: OutputStream
  readonly stderr: OutputStream
  readonly variables: Variables
}

/** Standard output for data, standard error for everything else. */
export class Terminal {
  readonly #stdout: OutputStream
  readonly #stderr: OutputStream
  readonly #coloured: boolean
  #secrets: readonly string[] = []
  #failure: Error | undefined

  constructor({ stdout, stderr, variables }: TerminalOptions) {
    this.#stdout = stdout
    this.#stderr = stderr
    this.#coloured = wantsColour(stdout, variables)
    stdout.on('error', (error: NodeJS.ErrnoException) => {
      this.#failure = error.code === 'EPIPE' ? new OutputClosed() : error
    })
    // Where the complaints go has itself failed: there is nowhere left to say so.
    stderr.on('error', () => {})
  }

  /** From now on these are taken out of everything that `note` prints. */
  hide(secrets: readonly string[]): void {
    this.#secrets = secrets
  }

  /**
   * Writes data to standard output as it is; resolves when the stream has taken it.
   *
   * @throws OutputClosed when the reader has gone.
   */
  async write(text: string): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    await new Promise<void>((resolve, reject) => {
      this.#stdout.write(text, (error) => {
        if (error === null || error === undefined) resolve()
        else reject((error as NodeJS.ErrnoException).code === 'EPIPE' ? new OutputClosed() : error)
      })
    })
  }

  /** True once nobody reads standard output any more. */
  get isClosed(): boolean {
    return this.#failure instanceof OutputClosed
  }

  /** A line of what a command has to say. A reader that has gone changes nothing of how it ends. */
  async writeLine(text = ''): Promise<void> {
    try {
      await this.write(`${text}\n`)
    } catch (error) {
      if (!(error instanceof OutputClosed)) throw error
    }
  }

  /** One JSON document on a line of its own. */
  async writeJson(value: unknown): Promise<void> {
    await this.writeLine(JSON.stringify(value))
  }

  /** A line for people, on standard error. */
  note(text: string): void {
    this.#stderr.write(`${printable(redactText(text, this.#secrets))}\n`)
  }

  /** Coloured on a terminal, plain elsewhere. `NO_COLOR` and `FORCE_COLOR` decide if set. */
  colour(colour: Colour, text: string): string {
    if (!this.#coloured) return text
    const [on, off] = CODES[colour]
    return `\u001b[${on}m${text}\u001b[${off}m`
  }
}

function wantsColour(stream: OutputStream, variables: Variables): boolean {
  if ((variables['NO_COLOR'] ?? '') !== '') return false
  const forced = variables['FORCE_COLOR'] ?? ''
  if (forced !== '') return forced !== '0'
  return stream.isTTY === true && variables['TERM'] !== 'dumb'
}
