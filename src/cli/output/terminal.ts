import type { Writable } from 'node:stream'
import { redactText } from '../../core/redact.ts'
import type { Variables } from '../settings/read-environment.ts'
import { OutputClosed } from './output-closed.ts'
import { printable } from './printable.ts'
import { table } from './table.ts'

export type Colour = 'bold' | 'cyan' | 'dim' | 'green' | 'red' | 'yellow'

const CODES: Readonly<Record<Colour, readonly [number, number]>> = {
  bold: [1, 22],
  cyan: [36, 39],
  dim: [2, 22],
  green: [32, 39],
  red: [31, 39],
  yellow: [33, 39],
}

export type OutputStream = Writable & { readonly isTTY?: boolean; readonly columns?: number }

/** Of a terminal that does not say how wide it is. */
const COLUMNS = 80

export interface TerminalOptions {
  readonly stdout: OutputStream
  readonly stderr: OutputStream
  readonly variables: Variables
}

/** Standard output for data, standard error for everything else. */
export class Terminal {
  readonly #stdout: OutputStream
  readonly #stderr: OutputStream
  readonly #coloured: { stdout: boolean; stderr: boolean }
  #secrets: readonly string[] = []
  #failure: Error | undefined

  constructor({ stdout, stderr, variables }: TerminalOptions) {
    this.#stdout = stdout
    this.#stderr = stderr
    this.#coloured = {
      stdout: wantsColour(stdout, variables),
      stderr: wantsColour(stderr, variables),
    }
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
  note(text: string, colour?: Colour): void {
    const line = printable(redactText(text, this.#secrets))
    const isColoured = colour !== undefined && this.#coloured.stderr
    this.#stderr.write(`${isColoured ? coloured(colour, line) : line}\n`)
  }

  /** Columns of the terminal that data goes to; without an end where it goes elsewhere. */
  get width(): number {
    return widthOf(this.#stdout)
  }

  /** True where data may be coloured: on a terminal, unless `NO_COLOR` or `FORCE_COLOR` decide otherwise. */
  get isColoured(): boolean {
    return this.#coloured.stdout
  }

  /** The same for what goes to standard error. */
  get isNoteColoured(): boolean {
    return this.#coloured.stderr
  }

  /** From now on nothing is coloured, whatever the environment says. */
  withoutColour(): void {
    this.#coloured.stdout = false
    this.#coloured.stderr = false
  }

  /** Coloured on a terminal, plain elsewhere. */
  colour(colour: Colour, text: string): string {
    return this.isColoured ? coloured(colour, text) : text
  }

  /** The lines of a table that fits the terminal; `colourOf` is asked for each row. */
  table(
    heading: readonly string[],
    rows: readonly (readonly string[])[],
    colourOf: (row: number) => Colour | undefined = () => undefined,
  ): string[] {
    const lines = table(heading, rows, this.width)
    return [
      ...lines.heading.map((line) => this.colour('bold', line)),
      ...lines.rows.flatMap((row, i) => {
        const colour = colourOf(i)
        return colour === undefined ? row : row.map((line) => this.colour(colour, line))
      }),
    ]
  }
}

/** Columns of the terminal that a stream is; without an end where it is none. */
export function widthOf({ isTTY, columns }: OutputStream): number {
  if (isTTY !== true) return Number.POSITIVE_INFINITY
  return columns === undefined || columns === 0 ? COLUMNS : columns
}

function coloured(colour: Colour, text: string): string {
  const [on, off] = CODES[colour]
  return `\u001b[${on}m${text}\u001b[${off}m`
}

function wantsColour(stream: OutputStream, variables: Variables): boolean {
  if ((variables['NO_COLOR'] ?? '') !== '') return false
  const forced = variables['FORCE_COLOR'] ?? ''
  if (forced !== '') return forced !== '0' && forced !== 'false'
  return stream.isTTY === true && variables['TERM'] !== 'dumb'
}
