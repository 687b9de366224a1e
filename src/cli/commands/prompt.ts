import { createInterface } from 'node:readline/promises'
import type { CliContext } from '../cli-context.ts'

/** The user pressed Ctrl-C or Ctrl-D at a question. */
export class PromptEnded extends Error {}

/** Asks one question; resolves with the answer without the spaces around it. */
export type Ask = (question: string) => Promise<string>

/** True where there is a terminal to ask on. */
export function canAsk({ io }: CliContext): boolean {
  return io.stdin.isTTY === true && io.stderr.isTTY === true
}

/**
 * Runs something that asks on the terminal.
 *
 * @throws PromptEnded when the user ends a question instead of answering it.
 */
export async function withPrompt<T>(
  { io }: CliContext,
  work: (ask: Ask) => Promise<T>,
): Promise<T> {
  const prompt = createInterface({ input: io.stdin, output: io.stderr })
  // Ctrl-C and Ctrl-D close the prompt, and its question would then wait for ever.
  const closed = new AbortController()
  prompt.once('SIGINT', () => closed.abort())
  prompt.once('close', () => closed.abort())
  try {
    return await work(async (question) => {
      const answer = await prompt.question(question, { signal: closed.signal })
      return answer.trim()
    })
  } catch (error) {
    if (closed.signal.aborted) throw new PromptEnded()
    throw error
  } finally {
    prompt.close()
  }
}
