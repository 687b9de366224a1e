import type { Disk, DiskFile } from '../../src/core/disk.ts'

/** What went to a disk. Zeros that are written ahead, and their syncs, are not counted. */
export interface DiskCounts {
  bytes: number
  syncs: number
}

/** A disk that counts what is written to the files whose paths fit. */
export function countingDisk(
  disk: Disk,
  fits: (path: string) => boolean = () => true,
): { readonly disk: Disk; readonly counts: DiskCounts } {
  const counts = { bytes: 0, syncs: 0 }
  const open = async (path: string, mode: 'create' | 'open'): Promise<DiskFile> => {
    const file = await disk.open(path, mode)
    return fits(path) ? counted(file, counts) : file
  }
  return { disk: { ...disk, open }, counts }
}

function counted(file: DiskFile, counts: DiskCounts): DiskFile {
  let dirty = false
  const writeSynced = file.writeSynced?.bind(file)
  return {
    read: (buffer, offset) => file.read(buffer, offset),
    async write(buffer, offset) {
      const written = await file.write(buffer, offset)
      if (buffer.some((byte) => byte !== 0)) {
        counts.bytes += written
        dirty = true
      }
      return written
    },
    ...(writeSynced !== undefined && {
      async writeSynced(buffer: Uint8Array, offset: number) {
        counts.syncs++
        const written = await writeSynced(buffer, offset)
        counts.bytes += written
        return written
      },
    }),
    async sync() {
      if (dirty) counts.syncs++
      dirty = false
      await file.sync()
    },
    truncate: (size) => file.truncate(size),
    size: () => file.size(),
    close: () => file.close(),
  }
}
