import { setTimeout as sleep } from 'node:timers/promises'

const TRIES_MAX = 3
const PAUSE_MS = 250

/**
 * The first answer that is complete, of at most three. In a process that has just begun the first call
 * of a database may be slow, and is then answered from the backup alone; who waits for one page rather
 * waits a moment longer.
 */
export async function readComplete<T extends { readonly complete: boolean }>(
  read: () => Promise<T>,
): Promise<T> {
  let answer = await read()
  for (let tries = 1; tries < TRIES_MAX && !answer.complete; tries++) {
    await sleep(PAUSE_MS)
    answer = await read()
  }
  return answer
}
