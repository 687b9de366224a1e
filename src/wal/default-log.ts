import type { Env } from '../core/env.ts'
import type { Logger } from '../core/logger.ts'
import { FileWALManager, WAL_DIRECTORY } from './file-wal-manager.ts'
import type { WALManager } from './wal-manager.ts'

/** Those that nobody has been told of. */
const untold = new WeakSet<WALManager>()

/**
 * The log of a store whose write strategy needs one and that was given none: files at the default folder, as
 * `openChatHistory` has them. Says so, or leaves it to the store where there is no logger.
 */
export function defaultLog(env: Env, logger: Logger | undefined): WALManager {
  const log = new FileWALManager({}, env)
  untold.add(log)
  if (logger !== undefined) tellOfDefaultLog(log, logger)
  return log
}

/** Says it once, of a default log alone. */
export function tellOfDefaultLog(log: WALManager, logger: Logger): void {
  if (!untold.delete(log)) return
  const directory = WAL_DIRECTORY
  logger.warn({ directory }, `no log was configured: using files at ${directory}`)
}
