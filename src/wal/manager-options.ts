import { MIB } from '../core/limits.ts'
import { byDefault, bytes, having, integer, ms, oneOf } from '../core/option-kinds.ts'
import type { Option, OptionTable } from '../core/options.ts'
import { DAY_MS } from '../core/time.ts'
import type { WAL } from './wal.ts'

/** What every kind of log takes. */
export interface WALManagerOptions {
  /** Longest that an entry waits for its flush, and the longest pause between retries. ms. */
  readonly flushIntervalMs?: number
  /** How long the flush gathers before a batch that is not full. Default: 100 ms. */
  readonly gatherMs?: number
  /** Most entries of one flushed batch. Default: 500. */
  readonly batchEntries?: number
  /** Bytes that memory may owe while the log is out; beyond, writes are `OVERLOADED`. */
  readonly owedBytesMax?: number
  /**
   * What becomes of a save while the log is out: `direct` goes on with the two databases, `refuse`
   * rejects it with `UNAVAILABLE`. Default: `direct`.
   */
  readonly onWalDown?: 'direct' | 'refuse'
}

export const MANAGER_OPTIONS: OptionTable<WALManagerOptions, keyof WALManagerOptions> = {
  flushIntervalMs: byDefault(5_000, ms(1, DAY_MS)),
  gatherMs: byDefault(100, ms(0, DAY_MS)),
  batchEntries: byDefault(500, integer(1, 100_000)),
  owedBytesMax: byDefault(256 * MIB, bytes(0, Number.MAX_SAFE_INTEGER)),
  onWalDown: byDefault('direct', oneOf('direct', 'refuse')),
}

/** A log that is handed in. */
export const WAL_OPTION: Option<WAL> = having('a log', [
  'open',
  'append',
  'acknowledge',
  'pending',
  'read',
  'close',
])
