import { checkInteger, checkOneOf } from '../core/limits.ts'
import { given } from '../core/options.ts'

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

const DEFAULTS: Required<WALManagerOptions> = {
  flushIntervalMs: 5_000,
  gatherMs: 100,
  batchEntries: 500,
  owedBytesMax: 256 * 1024 * 1024,
  onWalDown: 'direct',
}

const DAY_MS = 86_400_000
const BATCH_ENTRIES_MAX = 100_000

/** Fills the defaults in and refuses what cannot work. */
export function resolveManagerOptions(options: WALManagerOptions): Required<WALManagerOptions> {
  const resolved = { ...DEFAULTS, ...given(options) }
  checkInteger('wal.flushIntervalMs', resolved.flushIntervalMs, 1, DAY_MS)
  checkInteger('wal.gatherMs', resolved.gatherMs, 0, DAY_MS)
  checkInteger('wal.batchEntries', resolved.batchEntries, 1, BATCH_ENTRIES_MAX)
  checkInteger('wal.owedBytesMax', resolved.owedBytesMax, 0, Number.MAX_SAFE_INTEGER)
  checkOneOf('wal.onWalDown', resolved.onWalDown, ['direct', 'refuse'])
  return resolved
}
