import type { Command } from 'commander'
import { wrapText } from '../output/text-width.ts'

const EXAMPLES = new WeakMap<Command, readonly string[]>()

/** Command lines of a command, shown at the end of its help. A test parses each of them. */
export function addExamples(command: Command, lines: readonly string[]): Command {
  EXAMPLES.set(command, lines)
  return command.addHelpText('after', () => {
    const title = command.createHelp().styleTitle('Examples:')
    return `\n${title}\n${lines.map((line) => `  $ ${line}`).join('\n')}`
  })
}

/** A paragraph at the end of a command's help, as wide as the rest of it. */
export function addParagraph(command: Command, text: string): Command {
  return command.addHelpText('after', ({ error }) => {
    const { getOutHelpWidth, getErrHelpWidth } = command.configureOutput()
    const width = (error ? getErrHelpWidth?.() : getOutHelpWidth?.()) ?? Number.POSITIVE_INFINITY
    return `\n${wrapText(text, width).join('\n')}`
  })
}

/** The examples of a command; none if nobody wrote any. */
export function examplesOf(command: Command): readonly string[] {
  return EXAMPLES.get(command) ?? []
}
