import { MIB } from '../../core/limits.ts'
import { byDefault, bytes, ms, needed, oneOf, text } from '../../core/option-kinds.ts'
import { resolve, type OptionTable } from '../../core/options.ts'

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

const OPTIONS: OptionTable<FileWalOptions, Exclude<keyof FileWalOptions, 'directory'>> = {
  directory: needed(text()),
  segmentBytes: byDefault(16 * MIB, bytes(4096, 1024 * MIB)),
  pendingBytesMax: byDefault(1024 * MIB, bytes(1, Number.MAX_SAFE_INTEGER)),
  sync: byDefault('always', oneOf('always', 'never')),
  heartbeatMs: byDefault(10_000, ms(10, 20_000)),
  cacheBytes: byDefault(16 * MIB, bytes(0, 1024 * MIB)),
}

/** Fills the defaults in and rejects what cannot work. */
export function resolveFileWalOptions(options: FileWalOptions): ResolvedFileWalOptions {
  return resolve('', options, OPTIONS)
}
