import { nodeEnv } from '../../src/core/node-env.ts'
import { FileWal } from '../../src/wal/file/file-wal.ts'
import type { FileWalOptions } from '../../src/wal/file/options.ts'
import { appendMaker } from './messages.ts'

export const WRITER = '0000000000000001'
const IN_FLIGHT = 1_024

export interface LogFill {
  readonly entries: number
  /** Conversations that they are of, in turn. */
  readonly keys: number
}

/** Fills a log with entries that both places lack, and closes it. */
export async function fillLog(options: FileWalOptions, { entries, keys }: LogFill): Promise<void> {
  const append = appendMaker()
  const wal = new FileWal(nodeEnv(), options)
  await wal.open(WRITER)
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < entries) await wal.append([append(`c${next++ % keys}`)])
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker))
  await wal.close()
}
