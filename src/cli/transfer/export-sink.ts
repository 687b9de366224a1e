import { lstat, open, rename, rm, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Terminal } from '../output/terminal.ts'

/** Where the lines of an export go. */
export interface ExportSink {
  write(text: string): Promise<void>
  /** Everything was written. */
  finish(): Promise<void>
  /** The export failed: what is there must not be taken for a whole one. */
  abandon(): Promise<void>
}

/** Standard output: what was written is out and cannot be taken back. */
export function standardOutputSink(terminal: Terminal): ExportSink {
  return {
    write: (text) => terminal.write(text),
    finish: async () => {},
    abandon: async () => {},
  }
}

/** Where an export to this file is written first. */
export function partialOf(path: string): string {
  return `${path}.partial`
}

/**
 * A file that appears only when it is whole, and on stable storage: it is written under another
 * name and renamed. Only its owner can read it.
 */
export async function fileSink(path: string): Promise<ExportSink> {
  const partial = partialOf(path)
  // Never one that stands: it may be a link to another file, or anybody's to read.
  await rm(partial, { force: true })
  const file = await open(partial, 'wx', 0o600)
  return {
    async write(text) {
      await file.writeFile(text)
    },
    async finish() {
      await file.sync()
      const isOurs = await isStill(file, partial)
      await file.close()
      if (!isOurs) throw new Error(`another export to ${path} has begun: this one is given up`)
      await rename(partial, path)
      await syncFolder(dirname(path))
    },
    async abandon() {
      const isOurs = await isStill(file, partial)
      await file.close()
      if (isOurs) await rm(partial, { force: true })
    },
  }
}

/** True while the name is that of the file. */
async function isStill(file: FileHandle, path: string): Promise<boolean> {
  const [own, named] = await Promise.all([file.stat(), lstat(path).catch(() => undefined)])
  return own.ino === named?.ino && own.dev === named.dev
}

/** A name is on stable storage when its folder is. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
