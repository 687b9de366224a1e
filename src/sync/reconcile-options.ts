import { byDefault, either, fields, integer, ms, value } from '../core/option-kinds.ts'
import { resolve, type Option, type OptionTable } from '../core/options.ts'
import { DAY_MS } from '../core/time.ts'

/** When the two databases are compared by themselves, and how fast. */
export interface ReconcileOptions {
  /** Time between two passes over the recent window. Milliseconds. Default: 60,000. */
  readonly interval?: number
  /**
   * How far the window reaches back; further after an outage: to the last pass. Milliseconds.
   * Default: 300,000.
   */
  readonly window?: number
  /** Time between two passes over everything. Milliseconds. Default: 86,400,000, a day. */
  readonly fullInterval?: number
  /** Rows that a pass reads and writes in a second, at most. Default: 20,000. */
  readonly rowsPerSecond?: number
}

/**
 * `false`: not by the clock, only when it is asked for or needed. `on-demand`: only when it is asked
 * for; for tools that open a store for a moment.
 */
export type ReconcileChoice = ReconcileOptions | false | 'on-demand'

export interface ResolvedReconcileOptions {
  readonly when: 'clock' | 'needed' | 'on-demand'
  readonly intervalMs: number
  readonly windowMs: number
  readonly fullIntervalMs: number
  readonly rowsPerSecond: number
}

/** Rows that a pass may be told to read in a second. */
export const ROWS_PER_SECOND: Option<number> = integer(1, 1_000_000_000)
const YEAR_MS = 366 * DAY_MS

export const RECONCILE_OPTIONS: OptionTable<ReconcileOptions, keyof ReconcileOptions> = {
  interval: byDefault(60_000, ms(1_000, YEAR_MS)),
  window: byDefault(300_000, ms(1_000, YEAR_MS)),
  fullInterval: byDefault(DAY_MS, ms(1_000, YEAR_MS)),
  rowsPerSecond: byDefault(20_000, ROWS_PER_SECOND),
}

export const RECONCILE_OPTION: Option<ReconcileChoice> = either(
  value<false | 'on-demand'>(
    'false, on-demand',
    (given) => given === false || given === 'on-demand',
  ),
  fields(RECONCILE_OPTIONS),
)

/** Fills the defaults in and refuses what cannot work, naming the field. */
export function resolveReconcileOptions(choice: ReconcileChoice = {}): ResolvedReconcileOptions {
  const checked = RECONCILE_OPTION.check('reconcile', choice)
  const isByClock = typeof checked === 'object'
  const options = resolve('reconcile', isByClock ? checked : {}, RECONCILE_OPTIONS)
  return {
    when: isByClock ? 'clock' : checked === false ? 'needed' : checked,
    intervalMs: options.interval,
    windowMs: options.window,
    fullIntervalMs: options.fullInterval,
    rowsPerSecond: options.rowsPerSecond,
  }
}
