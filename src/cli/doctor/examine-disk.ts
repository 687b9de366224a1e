import { constants } from 'node:fs'
import { access, stat, statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Findings } from './finding.ts'

/** File systems that end with the machine, or at the other end of a cable, by their `f_type`. */
const IN_MEMORY: ReadonlySet<number> = new Set([0x01021994, 0x858458f6])
const NETWORK: ReadonlySet<number> = new Set([0x6969, 0xff534d42, 0xfe534d42, 0x517b])

const GIB = 1024 ** 3

/**
 * Whether a folder can be written to, and what kind of disk it is on; a folder that is not there yet
 * is judged by the one that it would be made in. Nothing is made.
 *
 * @param bytes What may be needed there.
 * @returns a name of the disk.
 */
export async function examineDisk(folder: string, bytes: number, found: Findings): Promise<string> {
  const there = await nearestThere(folder)
  await access(there, constants.W_OK | constants.X_OK)
  const { type, bavail, bsize } = await statfs(there)
  if (IN_MEMORY.has(type)) {
    found.warn(
      'not-durable',
      `${there} is in memory (tmpfs): it ends with the machine`,
      'choose a folder on a disk',
    )
  }
  if (NETWORK.has(type)) {
    found.warn(
      'network-disk',
      `${there} is on a network file system, where locks and fsync cannot be relied upon`,
      'choose a folder on a local disk',
    )
  }
  const free = bavail * bsize
  if (free < bytes) {
    found.warn(
      'few-bytes-free',
      `${gib(free)} are free on the disk of ${there}; up to ${gib(bytes)} may be needed`,
      'free some, or choose another disk',
    )
  }
  return `disk ${(await stat(there)).dev}`
}

/** The folder, or the nearest one above it that is there. */
async function nearestThere(folder: string): Promise<string> {
  for (let at = folder; ; at = dirname(at)) {
    try {
      await stat(at)
      return at
    } catch (error) {
      const isAbsent = (error as NodeJS.ErrnoException).code === 'ENOENT'
      if (!isAbsent || dirname(at) === at) throw error
    }
  }
}

function gib(bytes: number): string {
  return `${(bytes / GIB).toFixed(bytes < GIB / 10 ? 3 : 1)} GiB`
}
