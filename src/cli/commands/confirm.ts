import type { CliContext } from '../cli-context.ts'
import { UsageError } from '../usage-error.ts'
import { canAsk, PromptEnded, withPrompt } from './prompt.ts'

export interface Question {
  /** The command and what it does: `clear deletes messages for good`. */
  readonly why: string
  /** Printable. */
  readonly text: string
}

/**
 * Asks on the terminal.
 *
 * @throws UsageError where there is none: the command needs `--yes`.
 */
export async function confirm(
  cli: CliContext,
  { why, text }: Question,
): Promise<'yes' | 'no' | 'interrupted'> {
  if (!canAsk(cli)) {
    throw new UsageError(`${why}: add --yes, there is no terminal to ask on`)
  }
  try {
    const answer = await withPrompt(cli, (ask) => ask(`${text} [y/N] `))
    return /^y(es)?$/i.test(answer) ? 'yes' : 'no'
  } catch (error) {
    if (error instanceof PromptEnded) return 'interrupted'
    throw error
  }
}
