import { readFile } from 'node:fs/promises'
import { expect } from 'vitest'
import type { CliResult } from '../integration/cli-process.ts'
import type { CliTests } from '../integration/cli-tests.ts'

const DOCUMENT = new URL('../../docs/runbooks.md', import.meta.url)

export interface StepOptions {
  /** What stands for the words in capitals. */
  readonly words?: Readonly<Record<string, string>>
  readonly env?: Readonly<Record<string, string>>
  /** Default: 0. */
  readonly code?: number
}

/** A section of docs/runbooks.md whose commands are run as they are printed. */
export class Runbook {
  readonly #text: string
  readonly #cli: CliTests

  private constructor(text: string, cli: CliTests) {
    this.#text = text
    this.#cli = cli
  }

  static async open(heading: string, cli: CliTests): Promise<Runbook> {
    const text = await readFile(DOCUMENT, 'utf8')
    const start = new RegExp(`^(#+) ${heading}$`, 'm').exec(text)
    if (start === null) throw new Error(`docs/runbooks.md has no section "${heading}"`)
    const body = text.slice(start.index + start[0].length)
    const end = new RegExp(`^#{1,${start[1]!.length}} `, 'm').exec(body)
    return new Runbook(body.slice(0, end?.index), cli)
  }

  /** Runs a command, which the section must print word for word. */
  async step(
    command: string,
    { words = {}, env = {}, code = 0 }: StepOptions = {},
  ): Promise<CliResult> {
    expect(this.#text).toContain(`\`${command}\``)
    const [program, ...printed] = command.split(' ')
    expect(program).toBe('everthread')
    const args = printed.map((word) => words[word] ?? word)
    const result = await this.#cli.run(args, { env })
    expect({ command, ...result }).toMatchObject({ command, code })
    return result
  }
}
