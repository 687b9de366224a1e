import { join } from 'node:path'
import { isErased, type ThroughOf } from '../../core/erase.ts'
import type { Env } from '../../core/env.ts'
import { decodeGroup, skimGroup } from './codec.ts'
import { DEAD_LETTERS_NAME, scanLetters } from './dead-letters.ts'
import { scanSegment, segmentFiles } from './segment-scan.ts'

/**
 * True when a log that another process owns has payloads that are to go. Nothing is locked or
 * changed. What the owner removes meanwhile counts as gone.
 */
export async function findErasable(
  env: Env,
  directory: string,
  throughOf: ThroughOf,
): Promise<boolean> {
  let found = false
  const look = (buffer: Buffer, payloadStart: number): void => {
    if (found || !skimGroup(buffer, payloadStart).keys.some((key) => throughOf(key))) return
    found = decodeGroup(buffer, payloadStart).some((operation) => isErased(operation, throughOf))
  }
  try {
    const names = (await env.disk.list(directory)).map(({ name }) => name)
    const files = segmentFiles(names)
    for (const [i, file] of files.entries()) {
      const until = files[i + 1]?.firstLsn
      const options = { durableThrough: 0, ...(until !== undefined && { until }) }
      await scanSegment(env, directory, file, options, (frame, buffer) => {
        look(buffer, frame.payloadStart)
      })
      if (found) return true
    }
    if (names.includes(DEAD_LETTERS_NAME)) await lookAtLetters(env, directory, look)
    return found
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return found
    throw error
  }
}

async function lookAtLetters(
  env: Env,
  directory: string,
  look: (buffer: Buffer, payloadStart: number) => void,
): Promise<void> {
  const path = join(directory, DEAD_LETTERS_NAME)
  const file = await env.disk.open(path, 'open')
  try {
    await scanLetters(file, path, (_letter, buffer, { payloadStart }) => look(buffer, payloadStart))
  } finally {
    await file.close()
  }
}
