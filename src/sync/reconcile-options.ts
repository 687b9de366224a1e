import { invalid } from '../core/errors.ts'
import { showValue } from '../core/show-value.ts'
import { checkInteger } from '../core/limits.ts'

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

const YEAR_MS = 366 * 24 * 60 * 60 * 1_000
const FIELDS: ReadonlySet<string> = new Set(['interval', 'window', 'fullInterval', 'rowsPerSecond'])

/** Fills the defaults in and refuses what cannot work, naming the field. */
export function resolveReconcileOptions(
  options: ReconcileChoice | undefined,
): ResolvedReconcileOptions {
  if (options !== undefined && options !== false && options !== 'on-demand') {
    if (typeof options !== 'object' || options === null) {
      throw invalid(`reconcile must be an object, false or on-demand, got ${showValue(options)}`)
    }
    const unknown = Object.keys(options).find((field) => !FIELDS.has(field))
    if (unknown !== undefined) throw invalid(`reconcile.${unknown} is not an option`)
  }
  const {
    interval = 60_000,
    window = 300_000,
    fullInterval = 86_400_000,
    rowsPerSecond = 20_000,
  } = typeof options === 'object' ? options : {}
  return {
    when: options === 'on-demand' ? options : options === false ? 'needed' : 'clock',
    intervalMs: checkInteger('reconcile.interval', interval, 1_000, YEAR_MS),
    windowMs: checkInteger('reconcile.window', window, 1_000, YEAR_MS),
    fullIntervalMs: checkInteger('reconcile.fullInterval', fullInterval, 1_000, YEAR_MS),
    rowsPerSecond: checkInteger('reconcile.rowsPerSecond', rowsPerSecond, 1, 1_000_000_000),
  }
}
