import type { Env } from '../core/env.ts'
import { FileWALManager, WAL_DIRECTORY } from './file-wal-manager.ts'
import type { WALManager } from './wal-manager.ts'

/**
 * The log of a store whose write strategy needs one and that was given none: files at the default folder, as
 * `openChatHistory` has them. Says so.
 */
export function defaultLog(env: Env): WALManager {
  const directory = WAL_DIRECTORY
  env.logger.warn({ directory }, `no log was given: one is kept in files at ${directory}`)
  return new FileWALManager({}, env)
}
