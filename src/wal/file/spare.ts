import { join } from 'node:path'
import type { Disk, DiskFile } from '../../core/disk.ts'
import { ZEROS_BYTES } from './limits.ts'

/** A file of zeros that waits to become a segment. */
export interface Spare {
  readonly path: string
  readonly size: number
  readonly file: DiskFile
}

export const SPARE_PATTERN: RegExp = /^spare-[0-9]+\.tmp$/

/**
 * Writes zeros ahead: a full disk shows here and not at an append, and a later `fdatasync` has no
 * metadata to write. Never an old file again: its frames could be taken for new ones.
 */
export async function createSpare(
  disk: Disk,
  { directory, number, size }: { directory: string; number: number; size: number },
): Promise<Spare> {
  const path = join(directory, `spare-${number}.tmp`)
  const file = await disk.open(path, 'create')
  try {
    const zeros = Buffer.alloc(Math.min(size, ZEROS_BYTES))
    for (let offset = 0; offset < size; offset += zeros.byteLength) {
      await writeAll(file, zeros.subarray(0, Math.min(zeros.byteLength, size - offset)), offset)
      await file.sync()
    }
  } catch (error) {
    await file.close()
    await disk.remove(path)
    throw error
  }
  return { path, size, file }
}

type Write = (bytes: Buffer, offset: number) => Promise<number>

/** Writes all bytes, in as many calls as the disk needs. Rejects when it takes none. */
export async function writeAll(file: DiskFile, bytes: Buffer, offset: number): Promise<void> {
  await writeBy((part, at) => file.write(part, at), bytes, offset)
}

/** The same with a file that has `writeSynced`: all of it is on stable storage then. */
export async function writeAllSynced(file: DiskFile, bytes: Buffer, offset: number): Promise<void> {
  await writeBy((part, at) => file.writeSynced!(part, at), bytes, offset)
}

async function writeBy(write: Write, bytes: Buffer, offset: number): Promise<void> {
  let done = 0
  while (done < bytes.byteLength) {
    const count = await write(done === 0 ? bytes : bytes.subarray(done), offset + done)
    if (count <= 0) throw new Error(`the disk took only ${done} of ${bytes.byteLength} bytes`)
    done += count
  }
}
