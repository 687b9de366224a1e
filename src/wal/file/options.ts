import { invalid } from '../../core/errors.ts'
import { checkInteger } from '../../core/limits.ts'

const MIB = 1024 * 1024

export interface FileWalOptions {
  /**
   * Directory of the logs of all processes of this machine. It is made when missing. Never share
   * it between machines.
   */
  readonly directory: string
  /** A segment is full at this size; the first ones of a log are smaller. Default: 16 MiB. */
  readonly segmentBytes?: number
  /** Bytes that some place may lack; beyond it `OVERLOADED`. Default: 1 GiB. */
  readonly pendingBytesMax?: number
  /**
   * When an append resolves: after the disk has it (`always`), or once the operating system has it
   * (`never`: not durable, a crash of the machine loses the last appends). Default: `always`.
   */
  readonly sync?: 'always' | 'never'
  /**
   * How often this process shows that it lives and looks for logs of processes that do not.
   * Milliseconds, at most 20,000. Default: 10,000.
   */
  readonly heartbeatMs?: number
  /** Bytes of recent entries kept in memory, so that reading them needs no disk. Default: 16 MiB. */
  readonly cacheBytes?: number
}

export type ResolvedFileWalOptions = Required<FileWalOptions>

/** Fills the defaults in and rejects what cannot work. */
export function resolveFileWalOptions(options: FileWalOptions): ResolvedFileWalOptions {
  const {
    directory,
    segmentBytes = 16 * MIB,
    pendingBytesMax = 1024 * MIB,
    sync = 'always',
    heartbeatMs = 10_000,
    cacheBytes = 16 * MIB,
  } = options
  if (directory === '') throw invalid('directory must not be empty')
  if (sync !== 'always' && sync !== 'never') {
    throw invalid(`sync must be always or never, got ${String(sync)}`)
  }
  return {
    directory,
    segmentBytes: checkInteger('segmentBytes', segmentBytes, 4096, 1024 * MIB),
    pendingBytesMax: checkInteger('pendingBytesMax', pendingBytesMax, 1, Number.MAX_SAFE_INTEGER),
    sync,
    heartbeatMs: checkInteger('heartbeatMs', heartbeatMs, 10, 20_000),
    cacheBytes: checkInteger('cacheBytes', cacheBytes, 0, 1024 * MIB),
  }
}
