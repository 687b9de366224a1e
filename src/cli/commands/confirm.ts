import { createInterface } from 'node:readline/promises'
import type { CliContext } from '../cli-context.ts'
import { UsageError } from '../usage-error.ts'

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
  { io }: CliContext,
  { why, text }: Question,
): Promise<'yes' | 'no' | 'interrupted'> {
  if (io.stdin.isTTY !== true || io.stderr.isTTY !== true) {
    throw new UsageError(`${why}: add --yes, there is no terminal to ask on`)
  }
  const prompt = createInterface({ input: io.stdin, output: io.stderr })
  // Ctrl-C and Ctrl-D close the prompt, and its question would then wait for ever.
  const closed = new AbortController()
  prompt.once('SIGINT', () => closed.abort())
  prompt.once('close', () => closed.abort())
  try {
    const answer = await prompt.question(`${text} [y/N] `, { signal: closed.signal })
    return /^y(es)?$/i.test(answer.trim()) ? 'yes' : 'no'
  } catch (error) {
    if (closed.signal.aborted) return 'interrupted'
    throw error
  } finally {
    prompt.close()
  }
}
