import type { Env } from '../core/env.ts'
import { MIB } from '../core/limits.ts'
import { nodeEnv } from '../core/node-env.ts'
import { boolean, byDefault, bytes, oneOf, text } from '../core/option-kinds.ts'
import { at, pick, resolve, type OptionTable, type Resolved } from '../core/options.ts'
import { FileWal } from './file/file-wal.ts'
import { MANAGER_OPTIONS, type WALManagerOptions } from './manager-options.ts'
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
const SEGMENT_BYTES_MAX = 1024 * MIB

export type FileWALOptions = OptionTable<
  FileWALConfig & { readonly type?: 'file' },
  keyof FileWALConfig
>

export const FILE_WAL_OPTIONS: FileWALOptions = {
  type: oneOf('file'),
  ...MANAGER_OPTIONS,
  filePath: byDefault(WAL_DIRECTORY, text(PATH_BYTES_MAX)),
  maxFileSize: byDefault(16 * MIB, bytes(64 * 1024, SEGMENT_BYTES_MAX)),
  rotateOnSize: byDefault(true, boolean()),
  sync: byDefault('always', oneOf('always', 'never')),
  maxPendingBytes: byDefault(1024 * MIB, bytes(64 * 1024, Number.MAX_SAFE_INTEGER)),
}

/** Fills the defaults in and refuses what cannot work. */
export function resolveFileWAL(config: unknown, path = ''): Resolved<FileWALOptions> {
  const resolved = resolve(path, config, FILE_WAL_OPTIONS)
  const { maxFileSize, rotateOnSize, maxPendingBytes } = resolved
  // One ever growing segment has all that may be pending.
  const max = rotateOnSize ? Number.MAX_SAFE_INTEGER : SEGMENT_BYTES_MAX
  bytes(maxFileSize, max).check(at(path, 'maxPendingBytes'), maxPendingBytes)
  return resolved
}

/** A log on this machine's disk: it survives the process and, with an honest disk, the machine. */
export class FileWALManager extends WALManager {
  constructor(config: FileWALConfig = {}, env: Env = nodeEnv()) {
    const resolved = resolveFileWAL(config)
    const { filePath, maxFileSize, rotateOnSize, sync, maxPendingBytes } = resolved
    const segmentBytes = rotateOnSize ? maxFileSize : maxPendingBytes
    const wal = new FileWal(env, {
      directory: filePath,
      segmentBytes,
      pendingBytesMax: maxPendingBytes,
      sync,
    })
    super(env, wal, pick(MANAGER_OPTIONS, resolved))
  }
}
