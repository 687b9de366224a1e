import { constants, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { DiskFile } from './disk.ts'
import { nodeDisk } from './node-disk.ts'

async function created(): Promise<{ file: DiskFile; path: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'everthread-disk-'))
  const path = join(directory, 'file')
  const file = await nodeDisk.open(path, 'create')
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return { file, path }
}

/** Flags of each descriptor that this process has of a file, as the kernel says. */
function flagsOf(path: string): number[] {
  return readdirSync('/proc/self/fd')
    .filter((fd) => linkOf(fd) === path)
    .map((fd) => {
      const info = readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8')
      return Number.parseInt(/^flags:\s*([0-7]+)$/m.exec(info)![1]!, 8)
    })
}

function linkOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`)
  } catch {
    // Closed meanwhile: the listing itself has one.
    return ''
  }
}

describe.skipIf(process.platform !== 'linux')('a file whose writes wait for the disk', () => {
  test('has one descriptor that the kernel syncs with each write, and one without', async () => {
    const { file, path } = await created()
    const synced = flagsOf(path).map((flags) => (flags & constants.O_DSYNC) !== 0)
    expect(new Set(synced)).toEqual(new Set([false, true]))
    expect(synced).toHaveLength(2)
    await file.close()
    expect(flagsOf(path)).toEqual([])
  })

  test('what was written by either is read', async () => {
    const { file } = await created()
    expect(await file.writeSynced!(Buffer.from('later'), 6)).toBe(5)
    expect(await file.write(Buffer.from('sooner'), 0)).toBe(6)
    const bytes = Buffer.alloc(20)
    expect(await file.read(bytes, 0)).toBe(11)
    expect(bytes.toString('utf8', 0, 11)).toBe('soonerlater')
    await file.close()
  })
})

test('a file that is there is not made again, and none stays open', async () => {
  const { file, path } = await created()
  await file.close()
  await expect(nodeDisk.open(path, 'create')).rejects.toMatchObject({ code: 'EEXIST' })
  if (process.platform === 'linux') expect(flagsOf(path)).toEqual([])
})
