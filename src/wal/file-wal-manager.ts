import type { Env } from '../core/env.ts'
import { checkInteger, checkText } from '../core/limits.ts'
import { nodeEnv } from '../core/node-env.ts'
import { FileWal } from './file/file-wal.ts'
import type { WALManagerOptions } from './manager-options.ts'
import { WALManager } from './wal-manager.ts'

export interface FileWALConfig extends WALManagerOptions {
  /** A directory; each process keeps one of its own in it. Default: `./data/wal`. */
  readonly filePath?: string
  /** Size at which a segment is full. Bytes. Default: 16 MiB. */
  readonly maxFileSize?: number
  /** False keeps one ever growing segment. Default: true. */
  readonly rotateOnSize?: boolean
  /** `never` acknowledges before the disk has it, and is not durable. Default: `always`. */
  readonly sync?: 'always' | 'never'
  /** Bytes on disk; at the limit writes are `OVERLOADED`. Default: 1 GiB. */
  readonly maxPendingBytes?: number
}

/** Where a log is kept when nobody says where. */
export const WAL_DIRECTORY = './data/wal'
/** Longest path of Linux. */
const PATH_BYTES_MAX = 4_096
const SEGMENT_BYTES = 16 * 1024 * 1024
const PENDING_BYTES = 1024 * 1024 * 1024

/** A log on this machine's disk: it survives the process and, with an honest disk, the machine. */
export class FileWALManager extends WALManager {
  constructor(config: FileWALConfig = {}, env: Env = nodeEnv()) {
    const {
      filePath = WAL_DIRECTORY,
      maxFileSize = SEGMENT_BYTES,
      rotateOnSize = true,
      sync = 'always',
      maxPendingBytes = PENDING_BYTES,
      ...options
    } = config
    checkText('wal.filePath', filePath, PATH_BYTES_MAX)
    checkInteger('wal.maxFileSize', maxFileSize, 64 * 1024, 1024 * 1024 * 1024)
    checkInteger('wal.maxPendingBytes', maxPendingBytes, maxFileSize, Number.MAX_SAFE_INTEGER)
    const segmentBytes = rotateOnSize ? maxFileSize : maxPendingBytes
    const wal = new FileWal(env, {
      directory: filePath,
      segmentBytes,
      pendingBytesMax: maxPendingBytes,
      sync,
    })
    super(env, wal, options)
  }
}
