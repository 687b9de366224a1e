import type { StreamLink } from './link.ts'
import { WRITERS } from './scripts/scripts.ts'

/** A writer that was silent for this long is dead. Milliseconds. */
const DEAD_MS = 15_000

/** Tells the log that this writer lives, or ends, and returns those that have ended. */
export async function sayAlive(
  link: StreamLink,
  writer: string,
  how: 'open' | 'alive' | 'end',
): Promise<readonly string[]> {
  return (await link.call(0, WRITERS, [writer, how, String(DEAD_MS)])).map(String)
}
