import { open, rename, rm } from 'node:fs/promises'
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
  const file = await open(partial, 'w', 0o600)
  return {
    async write(text) {
      await file.writeFile(text)
    },
    async finish() {
      await file.sync()
      await file.close()
      await rename(partial, path)
    },
    async abandon() {
      await file.close()
      await rm(partial, { force: true })
    },
  }
}
