import { spawnSync } from 'node:child_process'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { leaveOut } from './required-fault.ts'

/** Room of the disk that the logs in files are on, where one can be mounted. */
const DISK = '48m'
const FILL_BYTES = 64 * 1024 * 1024

/** Mounts a disk that is soon full. Undefined where nothing can be mounted. */
export function mountSmallDisk(path: string): (() => void) | undefined {
  const args = ['-t', 'tmpfs', '-o', `size=${DISK},mode=0700`, 'tmpfs', path]
  const { error, status, stderr } = spawnSync('mount', args, { encoding: 'utf8' })
  if (status !== 0) {
    leaveOut('log disk full', `no disk can be mounted here: ${error?.message ?? stderr.trim()}`)
    return undefined
  }
  const unmount = (): void => void spawnSync('umount', ['-l', path])
  process.once('exit', unmount)
  return unmount
}

export async function fillDisk(path: string, ms: number): Promise<void> {
  const filler = join(path, 'filler')
  await writeFile(filler, Buffer.alloc(FILL_BYTES)).catch(() => {})
  await delay(ms)
  await rm(filler)
}
