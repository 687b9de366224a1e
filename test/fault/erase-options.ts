import { join } from 'node:path'
import type { ChatHistoryOptions } from '../../src/index.ts'

/** A word that only erased messages have. */
export const CANARY = 'canary-51d0'
export const KEPT_MESSAGES = 30

export function eraseOptions(directory: string): ChatHistoryOptions {
  return {
    primary: `sqlite:${join(directory, 'primary.db')}`,
    backup: `sqlite:${join(directory, 'backup.db')}`,
    wal: `file:${join(directory, 'wal')}`,
  }
}
