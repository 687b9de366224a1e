import type { Disk, DiskFile } from '../../../src/core/disk.ts'
import { nodeDisk } from '../../../src/core/node-disk.ts'

export type DiskCall = 'open' | 'write' | 'sync'

/** The machine's file system, on which calls can be made to fail. */
export interface FailingDisk extends Disk {
  /** These calls reject with this error code from now on; reading goes on. None: it works again. */
  fail(code?: 'EIO' | 'ENOSPC', calls?: readonly DiskCall[]): void
  /** Writes and syncs wait from now on until the returned function is called. */
  hang(): () => void
  /** Calls that were made to fail so far. */
  readonly failures: number
}

export function failingDisk(): FailingDisk {
  let fault: { readonly code: string; readonly calls: readonly DiskCall[] } | undefined
  let failures = 0
  let hanging: Promise<void> | undefined
  const check = async (call: DiskCall): Promise<void> => {
    await hanging
    if (fault === undefined || !fault.calls.includes(call)) return
    failures++
    throw Object.assign(new Error(`${fault.code}: injected, ${call}`), { code: fault.code })
  }
  return {
    ...nodeDisk,
    async open(path, mode) {
      if (mode === 'create') await check('open')
      return failingFile(await nodeDisk.open(path, mode), check)
    },
    fail(code, calls = ['open', 'write', 'sync']) {
      fault = code === undefined ? undefined : { code, calls }
    },
    hang() {
      let wake = (): void => {}
      hanging = new Promise((resolve) => (wake = resolve))
      return () => {
        hanging = undefined
        wake()
      }
    },
    get failures() {
      return failures
    },
  }
}

function failingFile(file: DiskFile, check: (call: DiskCall) => Promise<void>): DiskFile {
  return {
    read: (buffer, offset) => file.read(buffer, offset),
    async write(buffer, offset) {
      await check('write')
      return await file.write(buffer, offset)
    },
    ...(file.writeSynced !== undefined && {
      async writeSynced(buffer: Uint8Array, offset: number) {
        await check('write')
        const written = await file.writeSynced!(buffer, offset)
        await check('sync')
        return written
      },
    }),
    async sync() {
      await check('sync')
      await file.sync()
    },
    truncate: (size) => file.truncate(size),
    size: () => file.size(),
    close: () => file.close(),
  }
}
